//! Owns what a run's record proves of its builds: which began and never finished, so that their AMIs may be without tags.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::journal::{self, Phase};
use crate::error::{Error, Result};
use crate::plan::{Action, Plan};

/// The names of the AMIs that a plan builds.
#[must_use]
pub fn names(plan: &Plan) -> BTreeSet<&str> {
    let names = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Build { ami_name, .. } => Some(ami_name.as_str()),
        _ => None,
    });
    names.collect()
}

/// For each AMI that a plan builds, why one without tags must stay; none only where the record proves that its build began
/// and was neither finished nor taken back. `result` is the run's report, where it came to write one.
#[must_use]
pub fn stays(
    plan: &Plan,
    record: &Result<(String, Option<Vec<u8>>)>,
) -> BTreeMap<String, Option<String>> {
    let unread = |error: &Error| {
        format!(
            "the record of run {} can't be read: {}",
            plan.run,
            error.one_line()
        )
    };
    let record = match record {
        Ok((journal, result)) => journal::read(journal)
            .map(|lines| (lines, result))
            .map_err(|e| unread(&e)),
        Err(error) => Err(unread(error)),
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
                let over = result
                    .as_ref()
                    .is_some_and(|bytes| !failed(bytes, image.as_str()));
                finished(&phases, over).map(|what| format!("run {} {what}", plan.run))
            }
        };
        out.insert(ami_name.clone(), why);
    }
    out
}

/// What speaks against a build that never finished. The report is asked too: the last lines of a journal may not have
/// reached the store.
fn finished(phases: &[Phase], over: bool) -> Option<&'static str> {
    if phases.is_empty() {
        Some("has no record that its build began")
    } else if phases.contains(&Phase::Succeeded) || over {
        Some("finished building it")
    } else if phases.contains(&Phase::Undone) {
        Some("took its build back, so it is another's")
    } else {
        None
    }
}

/// Whether a report says that this image was not released; one that is not understood says nothing of the kind.
fn failed(report: &[u8], image: &str) -> bool {
    let Ok(report) = serde_json::from_slice::<Value>(report) else {
        return false;
    };
    let images = report.get("images").and_then(Value::as_array);
    let status = |one: &Value| {
        let ended = one.get("status").and_then(Value::as_str).unwrap_or("");
        matches!(ended, "failed" | "stuck" | "cancelled" | "not started")
    };
    images.is_some_and(|all| {
        all.iter()
            .find(|one| one.get("image").and_then(Value::as_str) == Some(image))
            .is_some_and(status)
    })
}

#[cfg(test)]
mod tests {
    use super::super::journal::Recorder;
    use super::*;
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
        let (id, scope, region) = (
            StepId("jdk/build".to_owned()),
            "jdk".to_owned(),
            Region::from("r"),
        );
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
        let (mut recorder, mut text) = (Recorder::default(), String::new());
        for phase in phases {
            let write = |line: &str| {
                text = format!("{text}{line}\n");
                Ok(())
            };
            let step = StepId(step.to_owned());
            recorder
                .record((Timestamp::UNIX_EPOCH, &step, *phase), &Value::Null, write)
                .expect("legal");
        }
        text
    }

    /// Why it stays; empty if nothing keeps it.
    fn why(record: Result<(String, Option<Vec<u8>>)>) -> String {
        stays(&plan(), &record)
            .remove("acme/jdk")
            .expect("of the plan")
            .unwrap_or_default()
    }

    #[test]
    fn only_a_build_that_began_and_never_finished_may_have_left_an_ami_without_tags() {
        use Phase::{Failed, Started, Succeeded, UndoFailed, UndoStarted, Undone};
        let by = |phases: &[Phase]| why(Ok((journal("jdk/build", phases), None)));
        for phases in [
            &[Started][..],
            &[Started, Failed],
            &[Started, Failed, UndoStarted, UndoFailed],
        ] {
            assert_eq!(by(phases), "", "{phases:?}");
        }
        for phases in [
            &[][..],
            &[Started, Succeeded],
            &[Started, Failed, UndoStarted, Undone],
        ] {
            assert_ne!(by(phases), "", "{phases:?}");
        }
        assert!(
            why(Ok((journal("z/build", &[Started]), None))).contains("no record"),
            "another image's step"
        );
    }

    #[test]
    fn a_record_that_can_not_be_read_or_a_report_of_a_good_end_keeps_it() {
        let began = || journal("jdk/build", &[Phase::Started]);
        let status =
            |status: &str| format!(r#"{{"images": [{{"image": "jdk", "status": "{status}"}}]}}"#);
        let told = |report: String| why(Ok((began(), Some(report.into_bytes()))));
        assert_eq!(told(status("failed")), "");
        assert_eq!(told(status("stuck")), "");
        assert!(
            told(status("released")).contains("finished"),
            "its last journal lines are not in the store"
        );
        assert!(told("{".to_owned()).contains("finished"));
        assert!(
            why(Ok((began().replace("jdk", "sdk"), None))).contains("can't be read"),
            "its chain is broken"
        );
        assert!(why(Err(Error::input("gone"))).contains("can't be read: gone"));
    }
}
