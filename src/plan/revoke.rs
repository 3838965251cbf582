//! Owns the plan of a revocation: first the state everywhere, then each environment goes back, last the tags that say
//! where the revoked ones were. Nothing of it is taken back when a later step fails: run again, it goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::{before, later, row};
use crate::catalog::Catalog;
use crate::lifecycle::{Record, current, places, revoke, tags};
use crate::model::{AmiId, EnvName, ImageName, Place, RunId, State, Tags, Version, World, pointer_name};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, Step, StepId, Verdict};

/// Decides the revocation of a version and of everything layered on it.
#[must_use]
pub fn plan(catalog: &Catalog, world: &World, image: &ImageName, version: Version, run: RunId) -> Plan {
    let records = Record::all(&world.images, &catalog.settings.name);
    let family = revoke::family(&records, image, version);
    let mut plan = Plan { schema: PLAN_SCHEMA, run, made: world.taken, decisions: Vec::new(), steps: Vec::new() };
    if !records.iter().any(|r| r.image == *image && r.version == version) {
        let reason = format!("there is no version {version} of `{image}`");
        plan.decisions.push(decision(world, catalog, &records, image, version, (Verdict::Blocked, vec![reason])));
        return plan;
    }
    let (steps, warnings) = withdraw(catalog, world, &records, &family, &format!("revoke {image} {version}"));
    for (name, version) in &family {
        let mut reasons: Vec<String> = match plan.decisions.first() {
            None => vec!["withdrawn by hand".to_owned()],
            Some(_) => vec![format!("layered on {image}@{}", family[0].1)],
        };
        reasons.extend(warnings.get(name).into_iter().flatten().cloned());
        let nothing = steps.is_empty();
        let verdict = if nothing { Verdict::Keep } else { Verdict::Revoke };
        if nothing {
            reasons = vec![format!("version {version} is revoked already")];
        }
        plan.decisions.push(decision(world, catalog, &records, name, *version, (verdict, reasons)));
    }
    plan.steps = steps;
    plan
}

fn decision(
    world: &World,
    catalog: &Catalog,
    records: &[Record<'_>],
    image: &ImageName,
    version: Version,
    (verdict, reasons): (Verdict, Vec<String>),
) -> Decision {
    let home = places::home(&catalog.settings);
    let ami = records
        .iter()
        .find(|r| r.image == *image && r.version == version && places::of_ami(r.ami, &world.account) == home);
    Decision {
        image: image.clone(),
        verdict,
        reasons,
        version: Some(version),
        base: None,
        base_because: None,
        ami: ami.map(|r| r.ami.id.clone()),
    }
}

/// What is said about an image beside its decision.
type Warnings = BTreeMap<ImageName, BTreeSet<String>>;

/// The steps that withdraw these versions wherever they are and are not withdrawn yet.
pub(super) fn withdraw(
    catalog: &Catalog,
    world: &World,
    records: &[Record<'_>],
    family: &[(ImageName, Version)],
    reason: &str,
) -> (Vec<Step>, Warnings) {
    let (mut first, mut then) = (Vec::new(), Vec::new());
    let mut warnings = Warnings::new();
    for place in places::all(&catalog.settings, &world.account) {
        let scope = format!("revoke@{place}");
        if let Some(why) = places::unread(world, &place) {
            let action = Action::Unread { why: why.to_owned() };
            first.extend(row(&scope, reason, Vec::new(), vec![("read", place, action)]));
            continue;
        }
        let here = places::at(records, &place, &world.account);
        let doomed = |r: &Record<'_>| family.iter().any(|(i, v)| *i == r.image && *v == r.version);
        let gone: Vec<&Record<'_>> = here.iter().filter(|r| doomed(r)).collect();
        let fresh: Vec<AmiId> = gone.iter().filter(|r| r.state != State::Revoked).map(|r| r.ami.id.clone()).collect();
        let mut needs = Vec::new();
        if !fresh.is_empty() {
            needs.push(StepId(format!("{scope}/withdraw")));
            let state = Tags::from([(tags::STATE.to_owned(), State::Revoked.as_str().to_owned())]);
            let action = Action::Mark { amis: fresh, before: Tags::new(), tags: state };
            first.extend(row(&scope, reason, Vec::new(), vec![("withdraw", place.clone(), action)]));
        }
        let ctx = At { catalog, world, here: &here, place: &place, reason };
        then.extend(ctx.after(&gone, &doomed, &needs, &mut warnings));
    }
    first.extend(then);
    (first, warnings)
}

struct At<'p> {
    catalog: &'p Catalog,
    world: &'p World,
    here: &'p [Record<'p>],
    place: &'p Place,
    reason: &'p str,
}

impl At<'_> {
    /// The moves of one place, each a scope of its own, and the end of the revoked ones' claims.
    fn after(
        &self,
        gone: &[&Record<'_>],
        doomed: &dyn Fn(&Record<'_>) -> bool,
        withdrawn: &[StepId],
        warnings: &mut Warnings,
    ) -> Vec<Step> {
        let (mut steps, mut needs) = (Vec::new(), withdrawn.to_vec());
        let mut back: BTreeMap<&AmiId, (&Record<'_>, BTreeSet<&EnvName>)> = BTreeMap::new();
        let mut seen: BTreeSet<(&ImageName, &str, &EnvName)> = BTreeSet::new();
        for (record, env) in gone.iter().flat_map(|r| r.current.keys().map(move |env| (*r, env))) {
            if !seen.insert((&record.image, record.arch.as_str(), env)) {
                continue;
            }
            let name = &record.image;
            let words = match revoke::instead(&self.catalog.settings, self.here, record, env, doomed) {
                Some(to) => {
                    back.entry(&to.ami.id).or_insert((to, BTreeSet::new())).1.insert(env);
                    format!("`{env}` goes back to {} in {}", to.version, self.place)
                }
                None => {
                    let words = format!("nothing is left for `{env}` in {}: its pointer is deleted", self.place);
                    let pointer = pointer_name(&self.catalog.settings.name, name, env, record.arch);
                    let action = ("unpublish", self.place.clone(), Action::Unpublish { pointer });
                    let scope = format!("{name}.{env}@{}", self.place);
                    steps.extend(row(&scope, &format!("{}: {words}", self.reason), withdrawn.to_vec(), vec![action]));
                    words
                }
            };
            warnings.entry(name.clone()).or_default().insert(words);
        }
        for (to, envs) in back.into_values() {
            let scope = format!("{}.{}@{}", to.image, to.version, self.place);
            let action = ("back", self.place.clone(), self.go_back(to, &envs));
            let reason = format!("{}: {} is current again", self.reason, to.version);
            steps.extend(row(&scope, &reason, withdrawn.to_vec(), vec![action]));
        }
        needs.extend(steps.iter().map(|s| s.id.clone()));
        let key = &self.catalog.settings.environment_key;
        let claims = |r: &&&Record<'_>| !r.tag(tags::CURRENT).is_empty() || !r.tag(key).is_empty();
        let amis: Vec<AmiId> = gone.iter().filter(claims).map(|r| r.ami.id.clone()).collect();
        if !amis.is_empty() {
            let empty = [tags::CURRENT.to_owned(), key.clone()].map(|k| (k, String::new()));
            let action = Action::Mark { amis, before: Tags::new(), tags: Tags::from(empty) };
            let scope = format!("cleared@{}", self.place);
            steps.extend(row(&scope, self.reason, needs, vec![("clear", self.place.clone(), action)]));
        }
        steps
    }

    /// One AMI becomes current in these environments: its tag says all of them at once.
    fn go_back(&self, to: &Record<'_>, envs: &BTreeSet<&EnvName>) -> Action {
        let settings = &self.catalog.settings;
        let others = || self.here.iter().filter(|r| r.image == to.image && r.arch == to.arch && r.ami.id != to.ami.id);
        let mut now = to.current.clone();
        for env in envs {
            let since = later(self.world.taken, others().filter_map(|r| r.current.get(*env).copied()));
            now.insert((*env).clone(), since);
        }
        let movement = |env: &&EnvName| Move {
            env: (*env).clone(),
            pointer: pointer_name(&settings.name, &to.image, env, to.arch),
            to: AmiRef::Known(to.ami.id.clone()),
            from: Vec::new(),
            before: before(to, &settings.environment_key),
            tags: Tags::from([(tags::CURRENT.to_owned(), current::format(&now))]),
            untag: Vec::new(),
        };
        Action::MoveCurrent { moves: envs.iter().map(movement).collect() }
    }
}
