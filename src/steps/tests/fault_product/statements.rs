//! Compares the statements of a run with the inventory of the cloud.

use super::commands::{Command, FinishedRun};
use super::inventory::{CloudInventory, Key};
use crate::engine::StepOutput;
use crate::engine::event::Event;
use crate::engine::outcome::{Outcome, ScopeEnd};
use crate::plan::Scope;

/// Returns the lines that a run prints.
pub(super) fn printed_lines(events: &[Event], outcome: &Outcome) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        match event {
            Event::Note { scope, text } => lines.push(format!("{scope} {text}")),
            Event::StepFailed {
                scope, verb, error, ..
            } => lines.push(format!("{scope} failed to {verb}: {error}")),
            Event::UndoFailed { scope, step, error } => {
                lines.push(format!("{scope} could not undo {step}: {error}"));
            }
            Event::ScopeFinished { scope, end } => {
                lines.extend(end.closing_line().map(|line| format!("{scope} {line}")));
            }
            _ => {}
        }
    }
    for (scope, end) in &outcome.scopes {
        match end {
            ScopeEnd::Failed { hints, .. } => {
                lines.extend(hints.iter().map(|hint| format!("{scope}: {hint}")));
            }
            ScopeEnd::Stuck { left, .. } => {
                lines.extend(
                    left.iter()
                        .map(|what| format!("{scope}: not removed: {what}")),
                );
            }
            _ => {}
        }
    }
    lines
}

/// Facts to compare statements with.
pub(super) struct Facts<'a> {
    pub(super) command: Command,
    pub(super) ran: &'a FinishedRun,
    pub(super) before: &'a CloudInventory,
    pub(super) now: &'a CloudInventory,
    pub(super) clean: &'a CloudInventory,
}

impl Facts<'_> {
    /// Returns whether a resource belongs to a scope before or after the run.
    pub(super) fn is_of(&self, key: &Key, scope: &Scope) -> bool {
        let plan = &self.ran.plan;
        let mut all = [self.before, self.now, self.clean].into_iter();
        all.any(|inventory| inventory.is_of(key, scope, plan))
    }

    /// Returns whether a scope that reports its leftovers is responsible for a resource.
    pub(super) fn is_of_stuck(&self, key: &Key) -> bool {
        let mut scopes = self.ran.outcome.scopes.iter();
        scopes.any(|(scope, end)| matches!(end, ScopeEnd::Stuck { .. }) && self.is_of(key, scope))
    }

    pub(super) fn has_stuck_scope(&self) -> bool {
        let mut ends = self.ran.outcome.scopes.values();
        ends.any(|end| matches!(end, ScopeEnd::Stuck { .. }))
    }

    /// Returns all statements that the inventory contradicts.
    pub(super) fn false_statements(&self) -> Vec<String> {
        let mut out = Vec::new();
        let outcome = &self.ran.outcome;
        for (scope, end) in &outcome.scopes {
            match end {
                ScopeEnd::Done { outputs } => {
                    out.extend(self.differences_from_clean(scope));
                    for output in outputs.values() {
                        let false_one = self.contradiction(output);
                        out.extend(false_one.map(|why| format!("{scope} done: {why}")));
                    }
                }
                ScopeEnd::Failed { .. } | ScopeEnd::Cancelled { .. } => {
                    if let Some(line) = end.closing_line().filter(|l| l.ends_with("cleaned up"))
                        && line != "not cleaned up"
                    {
                        out.extend(self.changes_of(scope, &line));
                    }
                }
                ScopeEnd::NotStarted { .. } => out.extend(self.changes_of(scope, "not started")),
                ScopeEnd::Stuck { left, .. } if left.is_empty() => {
                    out.push(format!("{scope} is stuck, but names nothing that is left"));
                }
                ScopeEnd::Stuck { .. } => {}
            }
            out.extend(self.lost_current_version(scope, end));
        }
        let all_done = outcome.scopes.values().all(ScopeEnd::is_done);
        if all_done != outcome.kind().is_none() {
            out.push(format!("exit code of {:?}", outcome.kind()));
        }
        for line in &self.ran.lines {
            out.extend(self.false_line(line));
        }
        out
    }

    /// Compares the resources of a finished scope with those after a run without a fault.
    fn differences_from_clean(&self, scope: &Scope) -> Vec<String> {
        let keys = self.before.0.keys().filter(|key| self.is_of(key, scope));
        let keys = keys.filter(|key| !self.is_of_stuck(key));
        let differs = |key: &&Key| self.now.stable_value(key) != self.clean.stable_value(key);
        keys.filter(differs)
            .map(|key| format!("{scope} done, but {key:?} is {:?}", self.now.value(key)))
            .collect()
    }

    /// Returns the changed resources of a scope that claims to have changed none.
    fn changes_of(&self, scope: &Scope, claim: &str) -> Vec<String> {
        let keys = self.before.0.keys().chain(self.now.without(self.before));
        let of_scope = keys.filter(|key| self.is_of(key, scope) && !self.is_of_stuck(key));
        of_scope
            .filter(|key| self.before.value(key) != self.now.value(key))
            .map(|key| {
                let (was, is) = (self.before.value(key), self.now.value(key));
                format!("{scope} {claim}, but {key:?} was {was:?} and is {is:?}")
            })
            .collect()
    }

    /// Checks "VERSION stays current", which the summary of a release prints for each image without a
    /// new version.
    fn lost_current_version(&self, scope: &Scope, end: &ScopeEnd) -> Option<String> {
        let is_release = matches!(self.command, Command::Release | Command::UndoneRelease);
        if !is_release || end.is_done() || end.may_have_moved() || scope.is_replica() {
            return None;
        }
        let pointer = format!("/bakeline/acme/{scope}/Test/x86_64");
        let of_pointer = |inventory: &CloudInventory| {
            let mut all = inventory.0.iter();
            all.find(|(key, _)| key.id == pointer)
                .map(|(_, resource)| resource.value.clone())
        };
        let (was, is) = (of_pointer(self.before), of_pointer(self.now));
        (was != is).then(|| format!("{scope} stays current, but {pointer} is {is:?}"))
    }

    /// Returns why the cloud contradicts the output of a finished step.
    fn contradiction(&self, output: &StepOutput) -> Option<String> {
        let exists = |id: &str| self.now.has_id(id);
        let missing = |id: &str| (!exists(id)).then(|| format!("{id} does not exist"));
        let present = |id: &str| exists(id).then(|| format!("{id} still exists"));
        match output {
            StepOutput::Build { ami, .. } | StepOutput::Candidate { ami, .. } => {
                missing(ami.as_str())
            }
            StepOutput::Copy { ami, snapshots, .. } => missing(ami.as_str())
                .or_else(|| snapshots.iter().find_map(|one| missing(one.as_str()))),
            StepOutput::Terminated { terminated } => present(terminated.as_str()),
            StepOutput::Deleted { deleted } => deleted.as_deref().and_then(present),
            StepOutput::Moves { moves, .. } => moves.iter().find_map(|one| {
                missing(one.ami.as_str()).or_else(|| {
                    let published = |(key, resource): (&Key, &super::inventory::Resource)| {
                        key.kind == "parameter"
                            && key.id.contains(&format!("/{}/", one.env))
                            && resource.value == one.ami.as_str()
                    };
                    let found = self.now.0.iter().any(published);
                    (!found).then(|| format!("{} is in no parameter of {}", one.ami, one.env))
                })
            }),
            StepOutput::Deregistered {
                deregistered,
                snapshots,
            } => present(deregistered.as_str())
                .or_else(|| snapshots.iter().find_map(|one| present(one.as_str()))),
            StepOutput::DeregisteredBefore { deregistered, .. } => present(deregistered.as_str()),
            StepOutput::Disabled { disabled, .. } => self.lacks(disabled.as_str(), "disabled "),
            StepOutput::Deprecated { deprecated, .. } => {
                self.lacks(deprecated.as_str(), "deprecated Some")
            }
            StepOutput::Swept { removed, kind } => {
                use crate::model::TemporaryKind::CopyPermission;
                if *kind != CopyPermission {
                    return present(removed);
                }
                let of_ami = |key: &Key| key.id.starts_with(removed.as_str());
                let tag = self
                    .now
                    .0
                    .keys()
                    .find(|key| key.kind == "sharing tag" && of_ami(key));
                tag.map(|key| format!("{key:?} still exists"))
            }
            StepOutput::Revoked { revoked, .. } => revoked
                .iter()
                .find_map(|ami| self.lacks(ami.as_str(), "\"bakeline:state\": \"revoked\"")),
            StepOutput::Launchable { launchable } => missing(launchable.as_str()),
            _ => None,
        }
    }

    fn lacks(&self, ami: &str, words: &str) -> Option<String> {
        let mut all = self.now.0.iter();
        let found = all.find(|(key, _)| key.kind == "image" && key.id == ami);
        match found {
            Some((_, resource)) if resource.value.contains(words) => None,
            other => Some(format!("{ami} lacks {words:?}: {other:?}")),
        }
    }

    /// Returns a line with a statement about an ID that the inventory contradicts.
    fn false_line(&self, line: &str) -> Option<String> {
        let is_gone = |words: &[&str]| {
            const GONE: [&str; 4] = ["deregistered", "deleted", "terminated", "removed"];
            match words {
                [id, "is" | "was", end] | [id, "in", _, "is" | "was", end] => {
                    is_id(id) && GONE.contains(end) && self.now.has_id(id)
                }
                _ => false,
            }
        };
        let is_lost = |words: &[&str]| matches!(words, ["kept" | "removed", _, id] if is_id(id) && !self.now.has_id(id));
        let separators = |c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.');
        let words: Vec<&str> = line.split(separators).filter(|w| !w.is_empty()).collect();
        let is_changed = || self.before.0 != self.now.0;
        let is_lie = words.windows(3).any(|part| is_gone(part) || is_lost(part))
            || words.windows(5).any(is_gone)
            || line.contains("nothing was changed") && is_changed();
        is_lie.then(|| format!("line {line:?}"))
    }
}

/// Returns whether a word is the ID of an EC2 resource.
fn is_id(word: &str) -> bool {
    let parts = word.split_once('-');
    parts.is_some_and(|(kind, rest)| ["ami", "snap", "sg", "i"].contains(&kind) && rest.len() == 8)
}
