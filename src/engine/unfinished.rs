//! Finds builds that started and never finished, from the journal of a run. Their AMIs may have no
//! tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::journal::{self, Phase};
use crate::error::{Error, Result};
use crate::plan::{Action, Plan};

/// Returns the names of the AMIs that a plan builds.
#[must_use]
pub fn built_ami_names(plan: &Plan) -> BTreeSet<&str> {
    let names = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Build { ami_name, .. } => Some(ami_name.as_str()),
        _ => None,
    });
    names.collect()
}

/// Returns, for each AMI that a plan builds, the reason to keep it if it has no tags.
///
/// The reason is `None` only if the journal proves that the build started and neither finished nor
/// was undone. `result` is the report of the run, if it exists.
#[must_use]
pub fn retention_reasons(
    plan: &Plan,
    record: &Result<(String, Option<Vec<u8>>)>,
) -> BTreeMap<String, Option<String>> {
    let unreadable = |error: &Error| {
        format!(
            "the journal of run {} cannot be read: {}",
            plan.run,
            error.one_line()
        )
    };
    let record = match record {
        Ok((journal, result)) => journal::read(journal)
            .map(|lines| (lines, result))
            .map_err(|e| unreadable(&e)),
        Err(error) => Err(unreadable(error)),
    };
    let mut out = BTreeMap::new();
    for step in &plan.steps {
        let Action::Build {
            image, ami_name, ..
        } = &step.action
        else {
            continue;
        };
        let why = match &record {
            Err(why) => Some(why.clone()),
            Ok((lines, result)) => {
                let phases: Vec<Phase> = lines
                    .iter()
                    .filter(|l| l.step == step.id)
                    .map(|l| l.phase)
                    .collect();
                let reported_done = result
                    .as_ref()
                    .is_some_and(|bytes| !reports_failure(bytes, image.as_str()));
                finished_reason(&phases, reported_done)
                    .map(|what| format!("run {} {what}", plan.run))
            }
        };
        out.insert(ami_name.clone(), why);
    }
    out
}

/// Returns the evidence that a build finished. The report counts too, because the last journal
/// lines may not have reached the store.
fn finished_reason(phases: &[Phase], reported_done: bool) -> Option<&'static str> {
    if phases.is_empty() {
        Some("has no record that the build started")
    } else if phases.contains(&Phase::Succeeded) || reported_done {
        Some("finished building it")
    } else if phases.contains(&Phase::Undone) {
        Some("undid the build, so this AMI is a different one")
    } else {
        None
    }
}

/// Returns whether a report says that the image was not released. An unreadable report does not say
/// so.
fn reports_failure(report: &[u8], image: &str) -> bool {
    let Ok(report) = serde_json::from_slice::<Value>(report) else {
        return false;
    };
    let images = report.get("images").and_then(Value::as_array);
    let is_unfinished = |one: &Value| {
        let ended = one.get("status").and_then(Value::as_str).unwrap_or("");
        matches!(ended, "failed" | "stuck" | "cancelled" | "not started")
    };
    images.is_some_and(|all| {
        all.iter()
            .find(|one| one.get("image").and_then(Value::as_str) == Some(image))
            .is_some_and(is_unfinished)
    })
}

#[cfg(test)]
mod tests {
    use super::super::journal::record_phases;
    use super::*;
    use crate::adapters::fake::MemoryJournal;
    use crate::model::{AmiId, Region, RunId, Timestamp};
    use crate::plan::step::{AmiRef, Step, StepId};

    fn plan() -> Plan {
        let action = Action::Build {
            image: "jdk".into(),
            version: "20261122.1".parse().expect("a version"),
            ami_name: "acme/jdk".to_owned(),
            base: AmiRef::Known(AmiId::from("ami-1")),
            tags: BTreeMap::new(),
        };
        let id: StepId = "jdk/build".parse().expect("a step ID");
        let (scope, region) = (id.scope.clone(), Region::from("r"));
        let step = Step {
            id,
            scope,
            region,
            account: None,
            needs: Vec::new(),
            reason: String::new(),
            action,
        };
        let (run, made) = (RunId::from("r1"), Timestamp::UNIX_EPOCH);
        Plan {
            schema: 1,
            run,
            decided_at: made,
            decisions: Vec::new(),
            steps: vec![step],
        }
    }

    fn journal(step: &str, phases: &[Phase]) -> String {
        let journal = MemoryJournal::default();
        record_phases(&journal, &step.parse().expect("a step ID"), phases);
        journal.text()
    }

    /// Returns the reason to keep the AMI, or an empty text.
    fn retention_reason(record: Result<(String, Option<Vec<u8>>)>) -> String {
        retention_reasons(&plan(), &record)
            .remove("acme/jdk")
            .expect("of the plan")
            .unwrap_or_default()
    }

    #[test]
    fn only_unfinished_builds_may_leave_untagged_amis() {
        use Phase::{Failed, Started, Succeeded, UndoFailed, UndoStarted, Undone};
        let reason_after =
            |phases: &[Phase]| retention_reason(Ok((journal("jdk/build", phases), None)));
        for phases in [
            &[Started][..],
            &[Started, Failed],
            &[Started, Failed, UndoStarted, UndoFailed],
        ] {
            assert_eq!(reason_after(phases), "", "{phases:?}");
        }
        for phases in [
            &[][..],
            &[Started, Succeeded],
            &[Started, Failed, UndoStarted, Undone],
        ] {
            assert_ne!(reason_after(phases), "", "{phases:?}");
        }
        assert!(
            retention_reason(Ok((journal("z/build", &[Started]), None))).contains("no record"),
            "step of another image"
        );
    }

    #[test]
    fn unreadable_journal_or_successful_report_keeps_ami() {
        let started = || journal("jdk/build", &[Phase::Started]);
        let status =
            |status: &str| format!(r#"{{"images": [{{"image": "jdk", "status": "{status}"}}]}}"#);
        let reason_for =
            |report: String| retention_reason(Ok((started(), Some(report.into_bytes()))));
        assert_eq!(reason_for(status("failed")), "");
        assert_eq!(reason_for(status("stuck")), "");
        assert!(
            reason_for(status("released")).contains("finished"),
            "the last journal lines are not in the store"
        );
        assert!(reason_for("{".to_owned()).contains("finished"));
        assert!(
            retention_reason(Ok((started().replace("jdk", "sdk"), None)))
                .contains("cannot be read"),
            "the chain is broken"
        );
        assert!(retention_reason(Err(Error::input("gone"))).contains("cannot be read: gone"));
    }
}
