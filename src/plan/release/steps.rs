//! Plans the steps of one image's release, with its tags and its pointer move.

use super::basis::BuildBase;
use super::planner::ReleasePlanner;
use crate::catalog::Image;
use crate::lifecycle::{Record, current, grants, locations, tags};
use crate::model::{ImageName, State, Tags, Timestamp, Version, ami_name, pointer_name};
use crate::plan::publish::{Publication, allow_launch, step_chain};
use crate::plan::shared;
use crate::plan::step::{self, Action, AmiRef, LaunchGrant, Move, Step};
use crate::plan::unusable_copy::UnusableCopyError;
use crate::plan::{Scope, StepId, StepName};

/// Lifetime of temporary resources before a sweep may remove them.
pub const EXPIRES: jiff::SignedDuration = jiff::SignedDuration::from_hours(12);

impl ReleasePlanner<'_> {
    /// Returns the actions that build one version, in order, with the names of their steps.
    fn build_actions(
        &self,
        image: &Image,
        version: Version,
        basis: &BuildBase,
        ami_name: String,
        digests: (String, String),
    ) -> [(StepName, Action); 10] {
        let run = &self.request.run;
        let temporary = format!("bakeline-{run}-{}", image.name);
        let built = AmiRef::MadeBy(step_id(&image.name, StepName::Build));
        let candidate = self.candidate_tags(image, version, basis, digests);
        let (name, base) = (image.name.clone(), basis.ami.clone());
        [
            (
                StepName::Key,
                Action::CreateKeyPair {
                    name: temporary.clone(),
                },
            ),
            (
                StepName::Group,
                Action::CreateGroup {
                    name: temporary.clone(),
                },
            ),
            (
                StepName::Build,
                Action::Build {
                    image: name.clone(),
                    version,
                    ami_name,
                    base,
                    tags: candidate.clone(),
                },
            ),
            (
                StepName::Candidate,
                Action::TagCandidate {
                    ami: built.clone(),
                    tags: candidate,
                },
            ),
            (
                StepName::Boot,
                Action::Boot {
                    image: name.clone(),
                    ami: built.clone(),
                },
            ),
            (
                StepName::Check,
                Action::CheckBoot {
                    image: name.clone(),
                    instance: step_id(&name, StepName::Boot),
                },
            ),
            (
                StepName::Terminate,
                Action::Terminate {
                    instance: step_id(&name, StepName::Boot),
                },
            ),
            (
                StepName::DropGroup,
                Action::DeleteGroup {
                    name: temporary.clone(),
                },
            ),
            (StepName::DropKey, Action::DeleteKeyPair { name: temporary }),
            (
                StepName::Release,
                Action::MoveCurrent {
                    moves: vec![self.release_move(image, version, built)],
                },
            ),
        ]
    }

    /// Returns the steps that build one version, in order. The first one waits for the parent.
    pub(super) fn build_steps(
        &self,
        image: &Image,
        version: Version,
        basis: BuildBase,
        reason: &str,
        digests: (String, String),
    ) -> Vec<Step> {
        let ami_name = ami_name(
            &self.catalog.settings.name,
            &image.name,
            image.arch,
            version,
            &self.request.run,
        );
        let built = AmiRef::MadeBy(step_id(&image.name, StepName::Build));
        let actions = self.build_actions(image, version, &basis, ami_name.clone(), digests);
        self.release_steps(
            (image, version),
            actions.into(),
            (built, ami_name),
            (reason, basis.after),
        )
    }

    /// Returns steps of an image at home, each after the one before it, the first after `after`, and the
    /// steps that bring the version to the other locations and accounts of the lowest environment. The
    /// last action makes the version current.
    pub(super) fn release_steps(
        &self,
        (image, version): (&Image, Version),
        mut actions: Vec<(StepName, Action)>,
        (ami, ami_name): (AmiRef, String),
        (reason, after): (&str, Option<StepId>),
    ) -> Vec<Step> {
        if let Some(grant) = self.home_grant(&ami) {
            let action = Action::AllowLaunch {
                grants: vec![grant],
            };
            actions.insert(actions.len() - 1, (StepName::AllowLaunch, action));
        }
        let publication = self.publication(image, version, (ami, ami_name), reason);
        let release = vec![step_id(&image.name, StepName::Release)];
        let copies = self.copy_steps(&publication, release);
        let mut steps = self.chain_steps(image, actions, reason, after);
        steps.extend(copies.unwrap_or_default());
        steps.extend(publication.shared_pointers(&steps));
        steps
    }

    /// Returns steps of an image at home, each after the one before it, the first after `after`.
    fn chain_steps(
        &self,
        image: &Image,
        actions: Vec<(StepName, Action)>,
        reason: &str,
        after: Option<StepId>,
    ) -> Vec<Step> {
        let mut before = after;
        let region = self.catalog.settings.home();
        let step = |(name, action): (StepName, Action)| {
            let needs = before.take().into_iter().collect();
            before = Some(step_id(&image.name, name));
            Step {
                id: step_id(&image.name, name),
                scope: Scope::of_image(&image.name),
                region: region.clone(),
                account: None,
                needs,
                reason: reason.to_owned(),
                action,
            }
        };
        actions.into_iter().map(step).collect()
    }

    /// Returns the launch permissions of an AMI at home, if the lowest environment shares it.
    fn home_grant(&self, ami: &AmiRef) -> Option<LaunchGrant> {
        let settings = &self.catalog.settings;
        let home = locations::home(settings);
        shared::launch_grant(
            &settings.environments[0],
            &home,
            &self.inventory.account,
            ami,
        )
    }

    /// Returns the publication of a version to the lowest environment.
    fn publication<'a>(
        &'a self,
        image: &'a Image,
        version: Version,
        (source, name): (AmiRef, String),
        reason: &str,
    ) -> Publication<'a> {
        Publication {
            catalog: self.catalog,
            inventory: self.inventory,
            records: &self.everywhere[..],
            image,
            version,
            env: &self.catalog.settings.environments[0],
            source,
            name,
            reason: reason.to_owned(),
        }
    }

    /// Returns the steps that copy the version to the other locations of the lowest environment.
    fn copy_steps(
        &self,
        publication: &Publication<'_>,
        needs: Vec<StepId>,
    ) -> Result<Vec<Step>, UnusableCopyError> {
        let mut steps = Vec::new();
        let settings = &self.catalog.settings;
        for location in
            locations::in_environment(settings, publication.env, &self.inventory.account)
                .into_iter()
                .skip(1)
        {
            steps.extend(publication.steps_at(&location, needs.clone())?);
        }
        Ok(steps)
    }

    /// Returns the steps for the locations of the lowest environment where a kept version is
    /// missing. Empty if the version is not current there.
    pub(super) fn missing_locations(
        &self,
        image: &Image,
        last: &Record<'_>,
        reasons: &mut Vec<String>,
    ) -> Vec<Step> {
        let lowest = &self.catalog.settings.environments[0].name;
        if last.state != State::Released || !last.current.contains_key(lowest) {
            return Vec::new();
        }
        let source = (AmiRef::Known(last.ami.id.clone()), last.ami.name.clone());
        let reason = format!("{} is not yet at all locations of `{lowest}`", last.version);
        let publication = self.publication(image, last.version, source, &reason);
        let mut steps = self.missing_home_grant(image, last, &reason);
        let planned = self.copy_steps(&publication, Vec::new()).map(|copies| {
            steps.extend(copies);
            steps.extend(publication.shared_pointers(&steps));
            steps
        });
        match planned {
            Ok(steps) if steps.is_empty() => steps,
            Ok(steps) => {
                reasons.push(reason);
                steps
            }
            Err(e) => {
                reasons.push(e.to_string());
                Vec::new()
            }
        }
    }

    /// Returns the step that grants the launch permissions that a kept version does not have at home.
    fn missing_home_grant(&self, image: &Image, last: &Record<'_>, reason: &str) -> Vec<Step> {
        let lowest = &self.catalog.settings.environments[0].name;
        let grant = self.home_grant(&AmiRef::Known(last.ami.id.clone()));
        let missing = grant.filter(|g| !grants::is_granted(last, lowest, &g.to));
        let home = locations::home(&self.catalog.settings);
        let actions = missing.map(|grant| allow_launch(&home, vec![grant]));
        step_chain(
            &Scope::of_image(&image.name),
            reason,
            Vec::new(),
            actions.into_iter().collect(),
        )
    }

    fn candidate_tags(
        &self,
        image: &Image,
        version: Version,
        basis: &BuildBase,
        (recipe, checks): (String, String),
    ) -> Tags {
        let settings = &self.catalog.settings;
        let expires = self.inventory.captured_at + EXPIRES;
        let mut out = settings.builder.tags.clone();
        out.extend(image.tags.clone());
        let mut put = |key: &str, value: String| {
            out.insert(
                key.to_owned(),
                value.chars().take(tags::MAX_VALUE).collect(),
            )
        };
        put(tags::SCHEMA, tags::SCHEMA_VERSION.to_owned());
        put(tags::CATALOG, settings.name.to_string());
        put(tags::IMAGE, image.name.published().to_owned());
        put(tags::VERSION, version.to_string());
        put(tags::ARCH, image.arch.to_string());
        put(tags::STATE, State::Candidate.as_str().to_owned());
        put(tags::RECIPE, recipe);
        put(tags::CHECKS, checks);
        put(tags::RUN, self.request.run.to_string());
        put(tags::BY, self.inventory.caller.clone());
        put(tags::EXPIRES, format_second(expires));
        put(
            tags::NAME,
            format!("{}/{} {version}", settings.name, image.name.published()),
        );
        put(tags::DEPTH, basis.depth.to_string());
        if let Some(source) = &basis.source {
            put(tags::SOURCE, source.clone());
        }
        if let Some(parent) = &basis.parent {
            put(tags::PARENT, parent.clone());
        }
        if let Some(commit) = &self.inventory.commit {
            put(
                tags::COMMIT,
                format!("{}{}", commit.id, if commit.dirty { "-dirty" } else { "" }),
            );
        }
        out
    }

    pub(super) fn release_move(&self, image: &Image, version: Version, built: AmiRef) -> Move {
        let settings = &self.catalog.settings;
        let lowest = &settings.environments[0];
        let since = current::Current::from([(lowest.name.clone(), self.inventory.captured_at)]);
        let holders = self
            .index
            .versions(image)
            .iter()
            .filter(|r| r.version != version);
        Move {
            env: lowest.name.clone(),
            pointer: pointer_name(&settings.name, &image.name, &lowest.name, image.arch),
            to: built,
            from: holders
                .filter(|r| r.current.contains_key(&lowest.name))
                .map(|r| step::previous_current(r, &lowest.name))
                .collect(),
            before: Tags::from([(tags::STATE.to_owned(), State::Candidate.as_str().to_owned())]),
            tags: Tags::from([
                (tags::STATE.to_owned(), State::Released.as_str().to_owned()),
                (tags::CURRENT.to_owned(), current::format(&since)),
                (settings.environment_key.clone(), lowest.tag_value.clone()),
            ]),
            untag: vec![tags::EXPIRES.to_owned(), tags::KEPT.to_owned()],
        }
    }
}

/// Replaces the release step by a step that discards the AMI.
pub(super) fn discard_instead_of_release(steps: Vec<Step>, image: &ImageName) -> Vec<Step> {
    let built_name = steps.iter().find_map(|step| match &step.action {
        Action::Build { ami_name, .. } => Some(ami_name.clone()),
        _ => None,
    });
    let own_steps = steps
        .into_iter()
        .filter(|step| step.scope.is_home_of(image));
    let mut needs_of_grant = None;
    own_steps
        .filter_map(|step| match (&step.action, &built_name) {
            (Action::AllowLaunch { .. }, _) => {
                needs_of_grant = Some(step.needs);
                None
            }
            (Action::MoveCurrent { .. }, Some(name)) => Some(Step {
                id: step_id(image, StepName::Discard),
                action: Action::Discard {
                    ami_name: name.clone(),
                },
                needs: needs_of_grant.take().unwrap_or(step.needs),
                ..step
            }),
            _ => Some(step),
        })
        .collect()
}

/// Returns the ID of a step of an image.
pub(super) fn step_id(image: &ImageName, name: StepName) -> StepId {
    StepId::new(Scope::of_image(image), name)
}

/// Formats a time in seconds, the precision of tags.
fn format_second(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}
