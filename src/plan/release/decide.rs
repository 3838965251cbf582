//! Decides for each image: build, recheck, keep or block.

use super::basis::BuildBase;
use super::planner::{ReleasePlanner, ReleaseRequest};
use super::reasons::{Cause, CurrentInputs, Reason};
use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, tags};
use crate::model::{Inventory, Timestamp, Version};
use crate::plan::step::{Decision, Plan, PlanVerdict, Step};

/// Version of the format of [`Plan`].
pub const PLAN_SCHEMA: u32 = 1;

/// Plans a release.
#[must_use]
pub fn plan_release(catalog: &Catalog, inventory: &Inventory, request: &ReleaseRequest) -> Plan {
    plan_release_as_of(catalog, inventory, request, inventory.captured_at)
}

/// Plans a release as of another time. Ages and version days refer to that time, and expiry and
/// `since` to the time of the facts.
#[must_use]
pub fn plan_release_as_of(
    catalog: &Catalog,
    inventory: &Inventory,
    request: &ReleaseRequest,
    decided: Timestamp,
) -> Plan {
    let mut planner = ReleasePlanner::new(catalog, inventory, request, decided);
    let selected = planner.selected_images();
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in catalog
        .parents_first()
        .into_iter()
        .filter(|i| selected.contains(&i.name))
    {
        let (decision, mut image_steps) = planner.plan_image(image);
        decisions.push(decision);
        steps.append(&mut image_steps);
    }
    Plan {
        schema: PLAN_SCHEMA,
        run: request.run.clone(),
        decided_at: decided,
        decisions,
        steps,
    }
}

impl<'c> ReleasePlanner<'c> {
    fn plan_image(&mut self, image: &'c Image) -> (Decision, Vec<Step>) {
        let recipe = self.prints.recipe(image);
        let current = CurrentInputs {
            digest: recipe.digest(),
            recipe,
            checks: self.prints.checks_digest(&image.name),
        };
        let last = self.index.last_good(self.catalog, image).cloned();
        let reasons = self.build_reasons(image, last.as_ref(), &current);
        let has_cause = |cause: &Cause| reasons.iter().any(|r| r.cause == *cause);
        match last {
            Some(last)
                if reasons
                    .iter()
                    .all(|r| matches!(r.cause, Cause::Checks | Cause::Note)) =>
            {
                if has_cause(&Cause::Checks) {
                    self.plan_recheck(image, &last, &current, reasons)
                } else {
                    let mut decision = keep_decision(image, &last);
                    decision.reasons.extend(self.deprecation_note(image));
                    let steps = self.missing_locations(image, &last, &mut decision.reasons);
                    (decision, steps)
                }
            }
            last => self.plan_build(image, last.as_ref(), current, reasons),
        }
    }

    fn plan_recheck(
        &mut self,
        image: &Image,
        last: &Record<'_>,
        current: &CurrentInputs,
        reasons: Vec<Reason>,
    ) -> (Decision, Vec<Step>) {
        self.rechecked.insert(image.name.clone());
        let steps = self.recheck_steps(
            image,
            last,
            &current.checks,
            &reason_texts(&reasons).join("; "),
        );
        (
            Decision {
                verdict: PlanVerdict::Recheck,
                reasons: reason_texts(&reasons),
                ..keep_decision(image, last)
            },
            steps,
        )
    }

    fn plan_build(
        &mut self,
        image: &Image,
        last: Option<&Record<'_>>,
        current: CurrentInputs,
        reasons: Vec<Reason>,
    ) -> (Decision, Vec<Step>) {
        let mut decision = Decision {
            image: image.name.clone(),
            verdict: PlanVerdict::Blocked,
            reasons: reason_texts(&reasons),
            version: None,
            base: None,
            base_because: None,
            ami: None,
        };
        let basis = match self.build_base(image, last, &reasons) {
            Ok(basis) => basis,
            Err(e) => {
                decision.reasons = vec![e.to_string()];
                return (decision, Vec::new());
            }
        };
        if let Some(candidate) = self.adoptable_candidate(image, &basis, &current) {
            return self.plan_adoption(image, &candidate, &basis, decision);
        }
        let version = Version::next(self.decided, self.index.newest_version(&image.name));
        self.built.insert(image.name.clone(), version);
        decision.verdict = PlanVerdict::Build;
        decision.version = Some(version);
        decision.base = Some(basis.description.clone());
        decision.base_because = Some(basis.reason.clone());
        let steps = self.build_steps(
            image,
            version,
            basis,
            &decision.reasons.join("; "),
            (current.digest, current.checks),
        );
        (decision, steps)
    }
}

impl<'c> ReleasePlanner<'c> {
    fn plan_adoption(
        &mut self,
        image: &Image,
        candidate: &Record<'_>,
        basis: &BuildBase,
        mut decision: Decision,
    ) -> (Decision, Vec<Step>) {
        let (name, ami) = (image.name.clone(), candidate.ami.id.clone());
        self.built.insert(name.clone(), candidate.version);
        self.adopted.insert(name, ami);
        let reason = format!(
            "check the candidate of run {}, for whose boot EC2 had no capacity",
            candidate.tag(tags::RUN)
        );
        decision.reasons.insert(0, reason);
        decision.verdict = PlanVerdict::Adopt;
        decision.version = Some(candidate.version);
        decision.base = Some(basis.description.clone());
        decision.base_because = Some(basis.reason.clone());
        let steps = self.adoption_steps(image, candidate, &decision.reasons.join("; "));
        (decision, steps)
    }
}

fn keep_decision(image: &Image, last: &Record<'_>) -> Decision {
    Decision {
        image: image.name.clone(),
        verdict: PlanVerdict::Keep,
        reasons: vec!["nothing changed since this version".to_owned()],
        version: Some(last.version),
        base: None,
        base_because: None,
        ami: Some(last.ami.id.clone()),
    }
}

fn reason_texts(reasons: &[Reason]) -> Vec<String> {
    reasons.iter().map(|r| r.text.clone()).collect()
}
