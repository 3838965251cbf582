//! Finds resources that a run has left, damaged or destroyed, after the run, a sweep and the next run.

use super::inventory::{CloudInventory, Key};
use super::statements::Facts;
use crate::engine::outcome::ScopeEnd;

impl Facts<'_> {
    /// Returns the resources that the run destroyed, left half changed, or left without a word.
    pub(super) fn leaks_after_run(&self) -> Vec<String> {
        let mut out = Vec::new();
        for key in self.before.without(self.now) {
            if self.clean.0.contains_key(key) && !self.is_of_stuck(key) {
                out.push(format!("destroyed: {key:?}"));
            }
        }
        for (key, resource) in &self.before.0 {
            let now = self.now.value(key);
            let is_known = now.is_none()
                || now == Some(resource.value.as_str())
                || self.now.stable_value(key) == self.clean.stable_value(key)
                || self.is_of_stuck(key)
                || self.is_of_partial(key);
            if !is_known {
                out.push(format!("half changed: {key:?} {now:?}"));
            }
        }
        for key in self.now.without(self.before) {
            let is_new_version = self.is_of_done(key) && self.is_permanent(self.now, key);
            if !is_new_version && !self.is_of_stuck(key) && !self.is_of_partial(key) {
                out.push(format!("left without a word: {key:?}"));
            }
        }
        out
    }

    /// Returns the resources that remain, or are destroyed, after a sweep.
    pub(super) fn leaks_after_sweep(&self, swept: &CloudInventory) -> Vec<String> {
        let new = swept.without(self.before).into_iter();
        let left = new.filter(|key| !self.is_permanent(swept, key));
        let mut out: Vec<String> = left
            .map(|key| format!("left after a sweep: {key:?}"))
            .collect();
        for key in self.now.without(swept) {
            let is_healthy = if self.before.0.contains_key(key) {
                self.clean.0.contains_key(key)
            } else {
                self.is_permanent(self.now, key)
            };
            if is_healthy {
                out.push(format!("destroyed by a sweep: {key:?}"));
            }
        }
        out
    }

    fn is_of_done(&self, key: &Key) -> bool {
        let mut scopes = self.ran.outcome.scopes.iter();
        scopes.any(|(scope, end)| end.is_done() && self.is_of(key, scope))
    }

    /// Returns whether a failed scope that does not claim to be undone is responsible.
    fn is_of_partial(&self, key: &Key) -> bool {
        let mut scopes = self.ran.outcome.scopes.iter();
        scopes.any(|(scope, end)| {
            let is_partial = matches!(end, ScopeEnd::Failed { .. })
                && end
                    .closing_line()
                    .is_none_or(|line| line == "not cleaned up");
            is_partial && self.is_of(key, scope)
        })
    }

    /// Returns whether a resource is a released AMI with a complete record, or a part of one.
    fn is_permanent(&self, inventory: &CloudInventory, key: &Key) -> bool {
        let Some(resource) = inventory.0.get(key) else {
            return false;
        };
        if key.kind == "parameter" {
            return inventory.has_id(&resource.value);
        }
        let Some(ami) = &resource.ami else {
            return false;
        };
        let image = Key {
            kind: "image",
            id: ami.0.clone(),
            ..key.clone()
        };
        let Some(text) = inventory.value(&image) else {
            return false;
        };
        let states = ["released", "held", "revoked", "retiring"];
        let has_state = |state: &&str| text.contains(&format!("\"bakeline:state\": \"{state}\""));
        matches!(key.kind, "image" | "snapshot")
            && states.iter().any(has_state)
            && text.contains(&format!("\"bakeline:self\": \"{ami}\""))
            && !text.contains("bakeline:expires")
    }
}
