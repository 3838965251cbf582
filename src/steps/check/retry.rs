//! Judges controls, and tries those with `within` again until they pass or their time is up.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::checks::{self, Control, Facts, Outcome, Phase, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Clock;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Target whose facts can be collected again.
#[async_trait]
pub trait FactSource: Send + Sync {
    /// Collects the facts that the given controls need.
    async fn collect_again(&self, controls: &[&Control]) -> Result<Facts>;
}

/// Facts of a target, with the verdicts.
pub struct JudgedFacts {
    /// Facts.
    pub facts: Facts,
    /// Verdicts of the controls of the phase.
    pub verdicts: Vec<Verdict>,
    /// Duration of the first collection.
    pub took: Duration,
}

/// Control that did not pass yet.
struct Pending<'a> {
    control: &'a Control,
    /// Position of its verdict.
    at: usize,
}

/// Judges the controls of a phase. Tries controls with `within` again. The verdicts of these
/// controls name the number of tries and the time.
///
/// Returns the merged facts of all tries, without tries that would change the verdict of a control
/// without `within`.
///
/// # Errors
/// Fails if the run is cancelled.
pub async fn judge_with_retries(
    source: &dyn FactSource,
    (controls, phase): (&[&Control], Phase),
    first: Facts,
    clock: &dyn Clock,
    cancel: &CancellationToken,
) -> Result<(Facts, Vec<Verdict>)> {
    let judged: Vec<&Control> = controls
        .iter()
        .copied()
        .filter(|c| c.phases.contains(&phase))
        .collect();
    let (once, retried): (Vec<&Control>, Vec<&Control>) =
        judged.iter().partition(|c| c.within.is_none());
    let (mut facts, start) = (first, clock.now());
    let mut verdicts = checks::judge(&judged, &facts, phase);
    if retried.is_empty() {
        return Ok((facts, verdicts));
    }
    let mut pending: Vec<Pending<'_>> = judged
        .iter()
        .enumerate()
        .filter(|(_, control)| control.within.is_some())
        .map(|(at, control)| Pending { control, at })
        .collect();
    let mut tries = 1;
    loop {
        let seconds = clock.now().duration_since(start).as_secs();
        pending.retain(|one| {
            let passes = matches!(verdicts[one.at].outcome, Outcome::Passed | Outcome::Skipped);
            let is_over = seconds >= i64::from(one.control.within.unwrap_or_default());
            if passes || is_over {
                verdicts[one.at] = verdicts[one.at].clone().with_remark(&describe_tries(
                    tries,
                    seconds,
                    one.control,
                ));
            }
            !passes && !is_over
        });
        if pending.is_empty() {
            return Ok((facts, verdicts));
        }
        tokio::select! {
            () = clock.sleep(PAUSE) => {}
            () = cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Interrupted, "the checks were cancelled"));
            }
        }
        tries += 1;
        let asked: Vec<&Control> = pending.iter().map(|one| one.control).collect();
        // A failed collection counts as a try, because a service that restarts the network can
        // break the connection.
        let Ok(fresh) = source.collect_again(&asked).await else {
            continue;
        };
        let again = checks::judge(&asked, &fresh, phase);
        for (one, verdict) in pending.iter().zip(again) {
            verdicts[one.at] = verdict;
        }
        facts = merge_facts(facts, fresh, &once, phase);
    }
}

fn describe_tries(tries: u32, seconds: i64, control: &Control) -> String {
    let noun = if tries == 1 { "try" } else { "tries" };
    let limit = control.within.unwrap_or_default();
    format!("{tries} {noun} in {seconds} s (within {limit} s)")
}

/// Adds the new readings to the facts, unless they change the verdict of a control in `once`.
fn merge_facts(facts: Facts, fresh: Facts, once: &[&Control], phase: Phase) -> Facts {
    let mut merged = facts.clone();
    for (kind, readings) in fresh.readings {
        merged.readings.entry(kind).or_default().extend(readings);
    }
    if checks::judge(once, &merged, phase) == checks::judge(once, &facts, phase) {
        merged
    } else {
        facts
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::adapters::fake::FakeClock;
    use crate::checks::{IdAllocator, ParseContext, SourceLocation, parse_control};

    /// Target on which a file appears after some tries.
    struct SlowTarget {
        tries: Mutex<Vec<usize>>,
        appears_at: usize,
    }

    fn facts(exists: bool) -> Facts {
        let (rc, text) = if exists {
            (0, "-rw-r--r-- 1 0 0 3 Jan  1 12:00 /run/ready")
        } else {
            (1, "ls: /run/ready: No such file or directory")
        };
        let reading = serde_json::json!({"rc": rc, "text": text});
        let identity = serde_json::json!({"directory": false, "uid": 0, "boot_id": null,
            "machine_id": "present", "kernel": "", "service_manager": true, "container": null,
            "clock": ""});
        let readings = serde_json::json!({"file": {"/run/ready": reading}});
        let all = serde_json::json!({"schema": 1, "identity": identity, "readings": readings});
        serde_json::from_value(all).expect("facts")
    }

    #[async_trait]
    impl FactSource for SlowTarget {
        async fn collect_again(&self, controls: &[&Control]) -> Result<Facts> {
            let mut tries = self.tries.lock().expect("lock");
            tries.push(controls.len());
            if tries.len() == 2 {
                return Err(Error::new(ErrorKind::StepFailed, "unreachable"));
            }
            Ok(facts(tries.len() + 1 >= self.appears_at))
        }
    }

    fn controls() -> Vec<Control> {
        let yaml = "[{id: slow, file: /run/ready, within: 10s}, \
            {id: patient, file: /run/ready, within: 20s}, \
            {id: once, file: /run/ready, phase: [boot]}]";
        let raw: Vec<checks::Tree> = serde_saphyr::from_str(yaml).expect("YAML");
        let mut ids = IdAllocator::default();
        raw.iter()
            .map(|check| {
                let context = ParseContext {
                    ids: &mut ids,
                    inputs: &std::collections::BTreeMap::new(),
                    defined_at: SourceLocation::default(),
                };
                parse_control(check, context).expect("a control")
            })
            .collect()
    }

    async fn judge_slow_target(appears_at: usize) -> (Vec<String>, usize) {
        let target = SlowTarget {
            tries: Mutex::default(),
            appears_at,
        };
        let all = controls();
        let all: Vec<&Control> = all.iter().collect();
        let clock = FakeClock(Mutex::new(crate::model::Timestamp::UNIX_EPOCH));
        let cancel = CancellationToken::new();
        let judged =
            judge_with_retries(&target, (&all, Phase::Boot), facts(false), &clock, &cancel).await;
        let (_, verdicts) = judged.expect("verdicts");
        let text = |v: &Verdict| format!("{} {}", v.outcome.as_str(), v.findings[0].message);
        let tries = target.tries.lock().expect("lock").len();
        (verdicts.iter().map(text).collect(), tries)
    }

    #[tokio::test]
    async fn check_within_passes_after_retries() {
        let (lines, tries) = judge_slow_target(4).await;
        assert_eq!(tries, 3, "tries stop when all pass");
        for line in &lines[..2] {
            assert!(
                line.starts_with("passed") && line.contains("4 tries in 6 s (within "),
                "{line}"
            );
        }
        assert!(
            lines[2].starts_with("failed") && !lines[2].contains("tries"),
            "a check without `within` is judged once: {lines:?}"
        );
    }

    #[tokio::test]
    async fn check_within_fails_when_time_is_up() {
        let (lines, tries) = judge_slow_target(8).await;
        assert!(lines[0].starts_with("failed"), "{lines:?}");
        assert!(
            lines[0].contains("6 tries in 10 s (within 10 s)"),
            "{lines:?}"
        );
        assert!(lines[1].starts_with("passed"), "{lines:?}");
        assert!(
            lines[1].contains("8 tries in 14 s (within 20 s)"),
            "{lines:?}"
        );
        assert_eq!(tries, 7);
    }

    #[tokio::test]
    async fn passed_check_is_not_tried_again() {
        let source = SlowTarget {
            tries: Mutex::default(),
            appears_at: 1,
        };
        let all = controls();
        let all: Vec<&Control> = all.iter().collect();
        let clock = FakeClock(Mutex::new(crate::model::Timestamp::UNIX_EPOCH));
        let cancel = CancellationToken::new();
        let (_, verdicts) =
            judge_with_retries(&source, (&all, Phase::Boot), facts(true), &clock, &cancel)
                .await
                .expect("verdicts");
        assert!(source.tries.lock().expect("lock").is_empty());
        assert!(verdicts[0].findings[0].message.contains("1 try in 0 s"));
    }
}
