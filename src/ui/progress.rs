//! Shows the progress of a run: a live line per scope at a terminal, a printed line per step elsewhere.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::engine::event::{Event, EventSink};
use crate::plan::Scope;

/// Progress on stderr.
pub struct Progress {
    bars: Option<(MultiProgress, Mutex<BTreeMap<Scope, ProgressBar>>)>,
}

impl Progress {
    /// Creates a live view, or plain lines if `live` is false.
    #[must_use]
    pub fn new(live: bool) -> Self {
        Self {
            bars: live.then(|| (MultiProgress::new(), Mutex::new(BTreeMap::new()))),
        }
    }

    fn print_line(&self, scope: impl Display, text: &str) {
        let line = format!("{scope:<24} {text}");
        match &self.bars {
            Some((all, _)) => drop(all.println(line)),
            None => super::say(&line),
        }
    }

    fn update_bar(&self, scope: &Scope, text: &str) {
        let Some((all, bars)) = &self.bars else {
            return;
        };
        let mut bars = bars
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = bars.entry(scope.clone()).or_insert_with(|| {
            let bar = all.add(ProgressBar::new_spinner());
            let style =
                ProgressStyle::with_template("{prefix:<24} {spinner} {elapsed:>4} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(scope.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(text.to_owned());
    }

    fn remove_bar(&self, scope: &Scope) {
        if let Some((_, bars)) = &self.bars {
            let mut bars = bars
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(bar) = bars.remove(scope) {
                bar.finish_and_clear();
            }
        }
    }
}

impl EventSink for Progress {
    fn on_event(&self, event: &Event) {
        match event {
            Event::RunStarted { run, scopes } => {
                self.print_line("run", &format!("{run}, {scopes} to do"))
            }
            Event::StepStarted { scope, verb, .. } => self.update_bar(scope, verb),
            Event::Note { scope, text } if text.starts_with("warning: ") => {
                self.print_line(scope, &printable(text));
            }
            Event::Note { scope, text } => self.update_bar(scope, &printable(text)),
            Event::StepSucceeded {
                scope,
                step,
                elapsed,
            } => {
                self.print_line(
                    scope,
                    &format!("{:<12} done in {:.1} s", step.name, elapsed.as_secs_f64()),
                );
            }
            Event::StepFailed {
                scope, verb, error, ..
            } => self.print_line(scope, &format!("failed to {verb}: {}", printable(error))),
            Event::UndoFailed { scope, step, error } => self.print_line(
                scope,
                &format!("could not undo {step}: {}", printable(error)),
            ),
            Event::ScopeFinished { scope, end } => {
                self.remove_bar(scope);
                if let Some(line) = end.closing_line() {
                    self.print_line(scope, &line);
                }
            }
            Event::RunFinished { .. } => {}
        }
    }
}

/// Replaces control characters, so that the output of a build cannot move the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
