//! Owns the decision what a release does: build, recheck, keep or blocked for each image, with the reasons and the steps.

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
use crate::plan::step::{Decision, Plan, Step, Verdict};
use index::Index;
use reasons::{Cause, Now, Reason};
pub use steps::EXPIRES;
pub use why::{Compared, Why, why};

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The images; empty means all.
    pub images: Vec<ImageName>,
    /// Build even what needs no build.
    pub force: bool,
    /// The run's id.
    pub run: RunId,
}

/// The version of [`Plan`]'s shape.
pub const PLAN_SCHEMA: u32 = 1;

/// Decides a release.
#[must_use]
pub fn plan(catalog: &Catalog, inventory: &Inventory, request: &Request) -> Plan {
    plan_as_of(catalog, inventory, request, inventory.taken)
}

/// Decides a release as it was, or would have been, decided at another time: ages and version days are of that time,
/// expiry and `since` are of the facts.
#[must_use]
pub fn plan_as_of(
    catalog: &Catalog,
    inventory: &Inventory,
    request: &Request,
    decided: Timestamp,
) -> Plan {
    let mut planner = Planner::new(catalog, inventory, request, decided);
    let wanted = planner.wanted();
    let (mut decisions, mut steps) = (Vec::new(), Vec::new());
    for image in catalog
        .parents_first()
        .into_iter()
        .filter(|i| wanted.contains(&i.name))
    {
        let (decision, mut made) = planner.image(image);
        decisions.push(decision);
        steps.append(&mut made);
    }
    Plan {
        schema: PLAN_SCHEMA,
        run: request.run.clone(),
        made: decided,
        decisions,
        steps,
    }
}

/// The plan of a build from scratch that is judged, and thrown away: what it holds shows how far a chain of builds has
/// drifted.
///
/// # Errors
/// Why it can't be built: its source or parent is not there.
pub fn scratch(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    run: RunId,
) -> Result<Plan, String> {
    let request = Request {
        images: vec![image.name.clone()],
        force: true,
        run,
    };
    let planner = Planner::new(catalog, inventory, &request, inventory.taken);
    let basis = planner.origin(image, "from scratch, to compare".to_owned())?;
    let version = Version::next(inventory.taken, planner.index.newest(&image.name));
    let digests = (
        planner.prints.recipe(image).digest(),
        planner.prints.checks(&image.name),
    );
    let steps = planner.steps(
        image,
        version,
        basis,
        "to compare; it is thrown away",
        digests,
    );
    let steps = steps::thrown_away(steps, &image.name);
    Ok(Plan {
        schema: PLAN_SCHEMA,
        run: request.run.clone(),
        made: inventory.taken,
        decisions: Vec::new(),
        steps,
    })
}

/// What is released, found by image: for plans that need no build.
pub struct Released<'c>(&'c Catalog, Index<'c>);

impl<'c> Released<'c> {
    /// Of a whole inventory.
    #[must_use]
    pub fn new(catalog: &'c Catalog, inventory: &'c Inventory) -> Self {
        Self(catalog, Index::new(catalog, inventory))
    }

    /// The version that the next build of an image is compared with.
    #[must_use]
    pub fn last_good(&self, image: &Image) -> Option<&Record<'c>> {
        self.1.last_good(self.0, image)
    }

    /// The last good versions whose tags say that their recipe or their checks are not what the catalog says now: what
    /// these were made from is worth looking up.
    #[must_use]
    pub fn moved(&self) -> Vec<&Record<'c>> {
        let prints = Fingerprints::new(self.0);
        let differs = |image: &Image, last: &Record<'_>| {
            last.tag(tags::RECIPE) != prints.recipe(image).digest()
                || last.tag(tags::CHECKS) != prints.checks(&image.name)
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

struct Planner<'c> {
    catalog: &'c Catalog,
    inventory: &'c Inventory,
    request: &'c Request,
    decided: Timestamp,
    index: Index<'c>,
    prints: Fingerprints<'c>,
    everywhere: Vec<Record<'c>>,
    built: BTreeMap<ImageName, Version>,
    rechecked: BTreeSet<ImageName>,
}

impl<'c> Planner<'c> {
    fn new(
        catalog: &'c Catalog,
        inventory: &'c Inventory,
        request: &'c Request,
        decided: Timestamp,
    ) -> Self {
        let (index, prints) = (Index::new(catalog, inventory), Fingerprints::new(catalog));
        let everywhere = Record::all(&inventory.images, &catalog.settings.name);
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

    /// The images asked for, and those ancestors that have nothing released yet to build on.
    fn wanted(&self) -> BTreeSet<ImageName> {
        if self.request.images.is_empty() {
            return self.catalog.images.keys().cloned().collect();
        }
        let mut wanted: BTreeSet<ImageName> = self.request.images.iter().cloned().collect();
        for name in &self.request.images {
            for ancestor in self.catalog.lineage(name).into_iter().skip(1) {
                if self.index.last_good(self.catalog, ancestor).is_some() {
                    break;
                }
                wanted.insert(ancestor.name.clone());
            }
        }
        wanted
    }

    fn image(&mut self, image: &'c Image) -> (Decision, Vec<Step>) {
        let recipe = self.prints.recipe(image);
        let now = Now {
            digest: recipe.digest(),
            recipe,
            checks: self.prints.checks(&image.name),
        };
        let last = self.index.last_good(self.catalog, image).cloned();
        let reasons = self.reasons(image, last.as_ref(), &now);
        let because = |cause: &Cause| reasons.iter().any(|r| r.cause == *cause);
        match last {
            Some(last)
                if reasons
                    .iter()
                    .all(|r| matches!(r.cause, Cause::Checks | Cause::Note)) =>
            {
                if because(&Cause::Checks) {
                    self.again(image, &last, &now, reasons)
                } else {
                    let mut decision = kept(image, &last);
                    let steps = self.missing_locations(image, &last, &mut decision.reasons);
                    (decision, steps)
                }
            }
            last => self.build(image, last.as_ref(), now, reasons),
        }
    }

    fn again(
        &mut self,
        image: &Image,
        last: &Record<'_>,
        now: &Now,
        reasons: Vec<Reason>,
    ) -> (Decision, Vec<Step>) {
        self.rechecked.insert(image.name.clone());
        let steps = self.recheck(image, last, &now.checks, &words(&reasons).join("; "));
        (
            Decision {
                verdict: Verdict::Recheck,
                reasons: words(&reasons),
                ..kept(image, last)
            },
            steps,
        )
    }

    fn build(
        &mut self,
        image: &Image,
        last: Option<&Record<'_>>,
        now: Now,
        reasons: Vec<Reason>,
    ) -> (Decision, Vec<Step>) {
        let mut decision = Decision {
            image: image.name.clone(),
            verdict: Verdict::Blocked,
            reasons: words(&reasons),
            version: None,
            base: None,
            base_because: None,
            ami: None,
        };
        let basis = match self.basis(image, last, &reasons) {
            Ok(basis) => basis,
            Err(why) => {
                decision.reasons = vec![why];
                return (decision, Vec::new());
            }
        };
        let version = Version::next(self.decided, self.index.newest(&image.name));
        self.built.insert(image.name.clone(), version);
        decision.verdict = Verdict::Build;
        decision.version = Some(version);
        decision.base = Some(basis.words.clone());
        decision.base_because = Some(basis.because.clone());
        let steps = self.steps(
            image,
            version,
            basis,
            &decision.reasons.join("; "),
            (now.digest, now.checks),
        );
        (decision, steps)
    }
}

fn kept(image: &Image, last: &Record<'_>) -> Decision {
    Decision {
        image: image.name.clone(),
        verdict: Verdict::Keep,
        reasons: vec!["nothing changed since this version".to_owned()],
        version: Some(last.version),
        base: None,
        base_because: None,
        ami: Some(last.ami.id.clone()),
    }
}

fn words(reasons: &[Reason]) -> Vec<String> {
    reasons.iter().map(|r| r.words.clone()).collect()
}
