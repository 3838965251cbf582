//! Shows the progress of a run on stderr: a live line per scope on a terminal, elsewhere one line with
//! its time per event, or JSON.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::width::{display_width, printable, stderr_width, truncate};
use crate::engine::event::{Event, EventSink};
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::plan::Scope;

/// Form of the progress on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// Live lines on a terminal, else lines.
    Auto,
    /// One line for each event.
    Plain,
    /// One JSON object for each event and message.
    Json,
}

static MODE: OnceLock<ProgressMode> = OnceLock::new();

/// Sets the form of the progress for this process. Only the first call counts.
pub fn set_mode(mode: ProgressMode) {
    let _set = MODE.set(mode);
}

/// Returns true if stderr contains only JSON.
#[must_use]
pub(super) fn is_json() -> bool {
    MODE.get() == Some(&ProgressMode::Json)
}

/// Live lines, by scope.
type Bars = (MultiProgress, Mutex<BTreeMap<Scope, LiveLine>>);

/// Live line of a scope.
struct LiveLine {
    bar: ProgressBar,
    /// Step that is running.
    verb: &'static str,
    /// Columns before the message.
    before: usize,
}

impl LiveLine {
    /// Shows the step, and the last message of the step if there is one.
    fn show(&self, note: Option<&str>) {
        let text = match note {
            Some(note) => format!("{}: {}", self.verb, printable(note)),
            None => self.verb.to_owned(),
        };
        let room = stderr_width().saturating_sub(self.before);
        self.bar.set_message(truncate(&text, room));
    }
}

/// Progress on stderr.
pub struct Progress {
    bars: Option<Bars>,
    json: bool,
    /// Expected minutes of each scope.
    expected: BTreeMap<Scope, u64>,
    /// Returns the present time as text.
    now: fn() -> String,
}

impl Progress {
    /// Creates a view of the form that was set. `now` returns the present time.
    #[must_use]
    pub fn new(expected: BTreeMap<Scope, u64>, now: fn() -> String) -> Self {
        let mode = MODE.get().copied().unwrap_or(ProgressMode::Auto);
        let live = mode == ProgressMode::Auto && super::stderr_is_terminal();
        Self {
            bars: live.then(|| (MultiProgress::new(), Mutex::new(BTreeMap::new()))),
            json: mode == ProgressMode::Json,
            expected,
            now,
        }
    }

    /// Shows a message of a scope, or the step that starts.
    fn update_bar(
        &self,
        (all, bars): &Bars,
        scope: &Scope,
        verb: Option<&'static str>,
        note: Option<&str>,
    ) {
        let mut bars = bars
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let live = bars
            .entry(scope.clone())
            .or_insert_with(|| self.new_line(all, scope));
        live.verb = verb.unwrap_or(live.verb);
        live.show(note);
    }

    fn new_line(&self, all: &MultiProgress, scope: &Scope) -> LiveLine {
        let bar = all.add(ProgressBar::new_spinner());
        let expected = self.expected.get(scope);
        let expected = expected.map_or_else(String::new, |m| format!("of about {m} min "));
        let template = format!("{{prefix:<24}} {{spinner}} {{elapsed:>4}} {expected}{{wide_msg}}");
        let style = ProgressStyle::with_template(&template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let prefix = scope.to_string();
        let before = display_width(&prefix).max(24) + " - 100s ".len() + expected.len();
        bar.set_prefix(prefix);
        bar.enable_steady_tick(Duration::from_millis(120));
        LiveLine {
            bar,
            verb: "",
            before,
        }
    }

    /// Ends the live line of a scope. Prints its result above the other lines.
    fn end_bar(&self, (all, bars): &Bars, scope: &Scope, end: &ScopeEnd) {
        let mut bars = bars
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = bars.remove(scope).map(|live| live.bar);
        let elapsed = bar.as_ref().map_or(Duration::ZERO, ProgressBar::elapsed);
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let line = match end {
            ScopeEnd::Done { .. } => Some(format!("done in {}", duration(elapsed))),
            other => other.closing_line(),
        };
        if let Some(line) = line {
            drop(all.println(format!("{scope:<24} {line}")));
        }
    }

    fn show_live(&self, bars: &Bars, event: &Event) {
        let print = |scope: &dyn std::fmt::Display, text: &str| {
            // The summary of the run has the whole text.
            let line = format!("{scope:<24} {text}");
            drop(bars.0.println(truncate(&line, stderr_width())));
        };
        match event {
            Event::StepStarted { scope, verb, .. } => {
                self.update_bar(bars, scope, Some(verb), None);
            }
            Event::Note { scope, text } if !text.starts_with(WARNING) => {
                self.update_bar(bars, scope, None, Some(text));
            }
            Event::StepSucceeded { .. } => {}
            Event::ScopeFinished { scope, end } => self.end_bar(bars, scope, end),
            other => {
                if let Some((scope, text)) = event_line(other) {
                    print(&scope, &text);
                }
            }
        }
    }
}

/// Start of a progress message that must stay visible.
const WARNING: &str = "warning: ";

impl EventSink for Progress {
    fn on_event(&self, event: &Event) {
        if self.json {
            let mut object = event_json(event);
            object["at"] = Value::from((self.now)());
            super::line(&object.to_string());
        } else if let Some(bars) = &self.bars {
            self.show_live(bars, event);
        } else if let Some((scope, text)) = event_line(event) {
            super::line(&format!("{} {scope} {text}", (self.now)()));
        }
    }
}

/// Returns the scope and the text of an event, unless it is only a message about progress.
fn event_line(event: &Event) -> Option<(String, String)> {
    let (scope, text) = match event {
        Event::RunStarted { run, scopes } => {
            return Some(("run".to_owned(), format!("{run}, {scopes} to do")));
        }
        Event::RunFinished { outcome } => return Some(("run".to_owned(), run_summary(outcome))),
        Event::StepStarted { scope, step, .. } => (scope, format!("{} started", step.name)),
        Event::Note { scope, text } if text.starts_with(WARNING) => (scope, printable(text)),
        Event::Note { .. } => return None,
        Event::StepSucceeded {
            scope,
            step,
            elapsed,
        } => (
            scope,
            format!("{} done in {}", step.name, duration(*elapsed)),
        ),
        Event::StepFailed {
            scope, verb, error, ..
        } => (scope, format!("failed to {verb}: {}", printable(error))),
        Event::UndoFailed { scope, step, error } => (
            scope,
            format!("could not undo {step}: {}", printable(error)),
        ),
        Event::ScopeFinished { scope, end } => (scope, end.closing_line()?),
    };
    Some((scope.to_string(), text))
}

fn event_json(event: &Event) -> Value {
    match event {
        Event::RunStarted { run, scopes } => {
            json!({ "event": "run_started", "run": run, "scopes": scopes })
        }
        Event::StepStarted { scope, step, verb } => {
            json!({ "event": "step_started", "scope": scope, "step": step.name.to_string(), "verb": verb })
        }
        Event::Note { scope, text } => json!({ "event": "note", "scope": scope, "text": text }),
        Event::StepSucceeded {
            scope,
            step,
            elapsed,
        } => json!({
            "event": "step_succeeded", "scope": scope, "step": step.name.to_string(),
            "seconds": elapsed.as_secs_f64(),
        }),
        Event::StepFailed {
            scope,
            step,
            verb,
            error,
            elapsed,
        } => json!({
            "event": "step_failed", "scope": scope, "step": step.name.to_string(), "verb": verb,
            "error": error, "seconds": elapsed.as_secs_f64(),
        }),
        Event::UndoFailed { scope, step, error } => json!({
            "event": "undo_failed", "scope": scope, "step": step.name.to_string(), "error": error,
        }),
        Event::ScopeFinished { scope, end } => {
            json!({ "event": "scope_finished", "scope": scope, "end": end.status() })
        }
        Event::RunFinished { outcome } => json!({
            "event": "run_finished", "run": outcome.run, "interrupted": outcome.interrupted,
            "seconds": outcome.ended.as_second() - outcome.started.as_second(),
            "scopes": outcome.count_by_status().into_iter().collect::<BTreeMap<_, _>>(),
        }),
    }
}

/// Returns the number of scopes by their end, and the duration of a run.
fn run_summary(outcome: &Outcome) -> String {
    let seconds = outcome.ended.as_second() - outcome.started.as_second();
    let seconds = u64::try_from(seconds).unwrap_or(0);
    format!(
        "{} in {}",
        outcome.counts_text(),
        duration(Duration::from_secs(seconds))
    )
}

/// Formats a duration: `0.4 s`, `2 min 5 s`.
fn duration(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0..=59 => format!("{:.1} s", elapsed.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{StepId, StepName};

    #[test]
    fn live_line_keeps_the_step_and_is_cut() {
        let live = LiveLine {
            bar: ProgressBar::hidden(),
            verb: "build",
            before: stderr_width() - 14,
        };
        live.show(None);
        assert_eq!(live.bar.message(), "build");
        live.show(Some("Setting up curl (7.88)"));
        assert_eq!(live.bar.message(), "build: Settin…");
    }

    #[test]
    fn events_have_lines_and_json() {
        let scope: Scope = "web@us-east-1".parse().expect("a scope");
        let step = StepId::new(scope.clone(), StepName::Copy);
        let started = Event::StepStarted {
            scope: scope.clone(),
            step: step.clone(),
            verb: "copy",
        };
        let done = Event::StepSucceeded {
            scope: scope.clone(),
            step,
            elapsed: Duration::from_millis(125_400),
        };
        let note = |text: &str| Event::Note {
            scope: scope.clone(),
            text: text.to_owned(),
        };
        let line = |event: &Event| event_line(event).map(|(scope, text)| format!("{scope} {text}"));
        assert_eq!(
            line(&started).as_deref(),
            Some("web@us-east-1 copy started")
        );
        assert_eq!(
            line(&done).as_deref(),
            Some("web@us-east-1 copy done in 2 min 5 s")
        );
        assert_eq!(line(&note("50 %")), None);
        assert_eq!(
            line(&note("warning: \x1b[2Jx")).as_deref(),
            Some("web@us-east-1 warning: \u{fffd}[2Jx")
        );
        assert_eq!(
            event_json(&done).to_string(),
            r#"{"event":"step_succeeded","scope":"web@us-east-1","step":"copy","seconds":125.4}"#
        );
        let end = ScopeEnd::NotStarted {
            because: "x".to_owned(),
        };
        let finished = Event::ScopeFinished { scope, end };
        assert_eq!(event_json(&finished)["end"], "not started");
    }
}
