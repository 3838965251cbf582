//! Plans a release: build, recheck, keep or block each image, with reasons and steps.

mod basis;
mod index;
mod reasons;
pub(crate) mod recheck;
mod steps;
#[cfg(test)]
mod tests;
mod why;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Image};
use crate::lifecycle::{Record, tags};
use crate::model::{ImageName, Inventory, RunId, Timestamp, Version};
use crate::plan::fingerprint::Fingerprints;
use crate::plan::step::{Decision, Plan, PlanVerdict, Step};
use index::RecordIndex;
use reasons::{Cause, CurrentInputs, Reason};
pub use steps::EXPIRES;
pub use why::{Explanation, InputComparison, explain_image};

/// Release requested by the user.
#[derive(Debug, Clone)]
pub struct ReleaseRequest {
    /// Requested images; empty means all.
    pub images: Vec<ImageName>,
    /// True to build images that need no build.
    pub force: bool,
    /// ID of the run.
    pub run: RunId,
}

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

/// Plans a build from scratch that is checked and then discarded. Its contents show how far a chain
/// of builds has drifted.
///
/// # Errors
/// The reason why it cannot be built: the source or parent is missing.
pub fn plan_scratch_build(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    run: RunId,
) -> Result<Plan, String> {
    let request = ReleaseRequest {
        images: vec![image.name.clone()],
        force: true,
        run,
    };
    let planner = ReleasePlanner::new(catalog, inventory, &request, inventory.captured_at);
    let basis = planner.base_on_origin(image, "from scratch, for comparison".to_owned())?;
    let version = Version::next(
        inventory.captured_at,
        planner.index.newest_version(&image.name),
    );
    let digests = (
        planner.prints.recipe(image).digest(),
        planner.prints.checks_digest(&image.name),
    );
    let steps = planner.build_steps(
        image,
        version,
        basis,
        "for comparison; discarded afterwards",
        digests,
    );
    let steps = steps::discard_instead_of_release(steps, &image.name);
    Ok(Plan {
        schema: PLAN_SCHEMA,
        run: request.run.clone(),
        decided_at: inventory.captured_at,
        decisions: Vec::new(),
        steps,
    })
}

/// Released versions by image, for plans without builds.
pub struct ReleasedVersions<'c>(&'c Catalog, RecordIndex<'c>);

impl<'c> ReleasedVersions<'c> {
    /// Creates the index of an inventory.
    #[must_use]
    pub fn new(catalog: &'c Catalog, inventory: &'c Inventory) -> Self {
        Self(catalog, RecordIndex::new(catalog, inventory))
    }

    /// Returns the version that the next build of an image is compared with.
    #[must_use]
    pub fn last_good(&self, image: &Image) -> Option<&Record<'c>> {
        self.1.last_good(self.0, image)
    }

    /// Returns the last good versions whose recipe or checks differ from the catalog. Their
    /// manifests explain the difference.
    #[must_use]
    pub fn outdated(&self) -> Vec<&Record<'c>> {
        let prints = Fingerprints::new(self.0);
        let differs = |image: &Image, last: &Record<'_>| {
            last.tag(tags::RECIPE) != prints.recipe(image).digest()
                || last.tag(tags::CHECKS) != prints.checks_digest(&image.name)
        };
        let found = self
            .0
            .images
            .values()
            .filter_map(|i| Some((i, self.last_good(i)?)));
        found
            .filter(|(image, last)| differs(image, last))
            .map(|(_, last)| last)
            .collect()
    }
}

struct ReleasePlanner<'c> {
    catalog: &'c Catalog,
    inventory: &'c Inventory,
    request: &'c ReleaseRequest,
    decided: Timestamp,
    index: RecordIndex<'c>,
    prints: Fingerprints<'c>,
    everywhere: Vec<Record<'c>>,
    built: BTreeMap<ImageName, Version>,
    rechecked: BTreeSet<ImageName>,
}

impl<'c> ReleasePlanner<'c> {
    fn new(
        catalog: &'c Catalog,
        inventory: &'c Inventory,
        request: &'c ReleaseRequest,
        decided: Timestamp,
    ) -> Self {
        let (index, prints) = (
            RecordIndex::new(catalog, inventory),
            Fingerprints::new(catalog),
        );
        let everywhere = Record::read_all(&inventory.images, &catalog.settings.name);
        let (built, rechecked) = (BTreeMap::new(), BTreeSet::new());
        Self {
            catalog,
            inventory,
            request,
            decided,
            index,
            prints,
            everywhere,
            built,
            rechecked,
        }
    }

    /// Returns the requested images, and their ancestors without a released version.
    fn selected_images(&self) -> BTreeSet<ImageName> {
        if self.request.images.is_empty() {
            return self.catalog.images.keys().cloned().collect();
        }
        let mut selected: BTreeSet<ImageName> = self.request.images.iter().cloned().collect();
        for name in &self.request.images {
            for ancestor in self.catalog.lineage(name).into_iter().skip(1) {
                if self.index.last_good(self.catalog, ancestor).is_some() {
                    break;
                }
                selected.insert(ancestor.name.clone());
            }
        }
        selected
    }

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
            Err(why) => {
                decision.reasons = vec![why];
                return (decision, Vec::new());
            }
        };
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
