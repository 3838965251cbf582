//! Keeps resources of a failed scope: for inspection, or a candidate for the next run.

use super::context::{EndedStep, Shared, note_function};
use super::outcome::ScopeEnd;
use super::output::StepOutput;
use crate::error::{Error, ErrorKind};
use crate::plan::{Action, Step};

/// Returns whether a failed step leaves something to inspect: a build, a boot, or a check. A later
/// failure may leave a partly published AMI, which is never kept.
fn is_inspectable(action: &Action) -> bool {
    matches!(
        action,
        Action::Build { .. }
            | Action::Boot { .. }
            | Action::CheckBoot { .. }
            | Action::Recheck { .. }
    )
}

/// Keeps the candidate of a release for the next run, if its checks have not failed: EC2 has no
/// capacity to boot it, or the run was cancelled after it continued with the candidate of an earlier
/// run. Returns one line about it.
pub(super) async fn keep_candidate(
    shared: &Shared,
    (failed, steps): (&Step, &[Step]),
    error: &Error,
    done: &[EndedStep<'_>],
) -> Option<String> {
    let is_move = |step: &Step| matches!(step.action, Action::MoveCurrent { .. });
    let is_release = steps.iter().any(is_move) && !done.iter().any(|ended| is_move(ended.step));
    let is_boot = matches!(failed.action, Action::Boot { .. });
    let (adopted, ami) = done.iter().find_map(|ended| match &ended.output {
        Some(StepOutput::Candidate { ami, .. }) => {
            let adopted = matches!(ended.step.action, Action::AdoptCandidate { .. });
            Some((adopted, ami))
        }
        _ => None,
    })?;
    let waits = is_boot && error.is_for_capacity();
    let cancelled = adopted && error.kind == ErrorKind::Interrupted;
    // Without the lock, the candidate stays as it is.
    let is_fenced = shared.engine.effects.lock_loss().is_some();
    if !is_release || !(waits || cancelled) || is_fenced {
        return None;
    }
    let kept = shared.engine.effects.keep_candidate(failed, ami).await;
    match kept {
        Ok(line) => Some(line),
        Err(error) => {
            let text = format!("the candidate {ami} cannot be kept: {}", error.one_line());
            note_function(shared, failed)(&format!("warning: {text}"));
            None
        }
    }
}

/// Keeps the resources of a failed scope if `--keep-failed` is set and there are any.
pub(super) async fn keep_for_inspection(
    shared: &Shared,
    failed: &Step,
    error: &Error,
) -> Option<ScopeEnd> {
    let wanted =
        shared.keep_failed && matches!(error.kind, ErrorKind::ChecksFailed | ErrorKind::StepFailed);
    if !wanted || !is_inspectable(&failed.action) || shared.cancel.is_cancelled() {
        return None;
    }
    let kept = shared
        .engine
        .effects
        .keep_for_inspection(&failed.scope)
        .await;
    let lines = kept.unwrap_or_else(|e| {
        vec![format!(
            "the remaining resources could not be listed: {}",
            e.one_line()
        )]
    });
    if lines.is_empty() {
        return None;
    }
    let hints = error
        .hints()
        .into_iter()
        .map(str::to_owned)
        .chain(lines)
        .collect();
    let (step, verb) = (failed.id.to_string(), failed.action.verb().to_owned());
    Some(ScopeEnd::Failed {
        step,
        verb,
        kind: error.kind,
        error: error.one_line(),
        hints,
        undone: false,
        moved: false,
    })
}
