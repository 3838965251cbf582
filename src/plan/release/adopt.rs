//! Plans to continue with a candidate of an earlier run, for whose boot EC2 had no capacity.

use super::basis::BuildBase;
use super::planner::ReleasePlanner;
use super::reasons::CurrentInputs;
use super::steps::step_id;
use crate::catalog::Image;
use crate::lifecycle::{Record, candidate, tags};
use crate::model::Tags;
use crate::plan::StepName;
use crate::plan::step::{Action, AmiRef, Step};

/// Tags that must not change between the plan and the run.
const RELEVANT: [&str; 7] = [
    tags::SELF,
    tags::STATE,
    tags::KEPT,
    tags::VERSION,
    tags::RECIPE,
    tags::CHECKS,
    tags::RUN,
];

impl<'c> ReleasePlanner<'c> {
    /// Returns the candidate that equals the build which the plan would make: newest version of the
    /// image, the same recipe, checks and base, and not older than the plan allows.
    pub(super) fn adoptable_candidate(
        &self,
        image: &Image,
        basis: &BuildBase,
        now: &CurrentInputs,
    ) -> Option<Record<'c>> {
        if self.request.force {
            return None;
        }
        let newest = self.index.versions(image).first()?;
        let created = candidate::adoptable_since(newest, self.inventory.captured_at)?;
        let AmiRef::Known(base) = &basis.ami else {
            return None;
        };
        let base = format!("{}:{base}", self.catalog.settings.home());
        let is_same = newest.tag(tags::RECIPE) == now.digest
            && newest.tag(tags::CHECKS) == now.checks
            && newest.tag(tags::BASE) == base
            && newest.tag(tags::PARENT) == basis.parent.as_deref().unwrap_or_default()
            && self.index.newest_version(&image.name) == Some(newest.version);
        let age = self.decided.duration_since(created);
        let is_recent = image.max_age.is_none_or(|limit| age <= limit);
        // A probe after the build may have found updates that the candidate lacks.
        let probe = self.inventory.evidence.probes.get(&image.name);
        let has_updates = probe.is_none_or(|probe| probe.pending.is_empty() || probe.at <= created);
        (is_same && is_recent && has_updates).then(|| newest.clone())
    }

    /// Returns the steps that check the candidate and release it.
    pub(super) fn adoption_steps(
        &self,
        image: &Image,
        candidate: &Record<'_>,
        reason: &str,
    ) -> Vec<Step> {
        let name = &image.name;
        let temporary = format!("bakeline-{}-{name}", self.request.run);
        let ami = candidate.ami.id.clone();
        let known = || AmiRef::Known(ami.clone());
        let instance = step_id(name, StepName::Boot);
        let tag = |key: &&str| ((*key).to_owned(), candidate.tag(key).to_owned());
        let before: Tags = RELEVANT.iter().map(tag).collect();
        let temporary = || temporary.clone();
        let actions = [
            (StepName::Key, Action::CreateKeyPair { name: temporary() }),
            (StepName::Group, Action::CreateGroup { name: temporary() }),
            (
                StepName::Candidate,
                Action::AdoptCandidate {
                    image: name.clone(),
                    ami: ami.clone(),
                    ami_name: candidate.ami.name.clone(),
                    before,
                },
            ),
            (
                StepName::Boot,
                Action::Boot {
                    image: name.clone(),
                    ami: known(),
                },
            ),
            (
                StepName::Check,
                Action::CheckBoot {
                    image: name.clone(),
                    instance: instance.clone(),
                },
            ),
            (StepName::Terminate, Action::Terminate { instance }),
            (
                StepName::DropGroup,
                Action::DeleteGroup { name: temporary() },
            ),
            (
                StepName::DropKey,
                Action::DeleteKeyPair { name: temporary() },
            ),
            (
                StepName::Release,
                Action::MoveCurrent {
                    moves: vec![self.release_move(image, candidate.version, known())],
                },
            ),
        ];
        self.release_steps(
            (image, candidate.version),
            actions.into(),
            (known(), candidate.ami.name.clone()),
            (reason, None),
        )
    }
}
