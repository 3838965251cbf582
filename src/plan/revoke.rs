//! Plans a revocation: one step per location. A step that fails is not undone; running the command again continues it.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::{before, later, row};
use crate::catalog::Catalog;
use crate::lifecycle::{Record, current, places, revoke, tags};
use crate::model::{
    AmiId, EnvName, ImageName, Place, RunId, State, Tags, Version, World, pointer_name,
};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, Step, Verdict};

/// Decides the revocation of a version and of everything layered on it.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    world: &World,
    image: &ImageName,
    version: Version,
    run: RunId,
) -> Plan {
    let records = Record::all(&world.images, &catalog.settings.name);
    let family = revoke::family(&records, image, version);
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        run,
        made: world.taken,
        decisions: Vec::new(),
        steps: Vec::new(),
    };
    if !records
        .iter()
        .any(|r| r.image == *image && r.version == version)
    {
        let reason = format!("there is no version {version} of `{image}`");
        plan.decisions.push(decision(
            world,
            catalog,
            &records,
            image,
            version,
            (Verdict::Blocked, vec![reason]),
        ));
        return plan;
    }
    let (steps, warnings) = withdraw(
        catalog,
        world,
        &records,
        &family,
        &format!("revoke {image} {version}"),
    );
    for (name, version) in &family {
        let mut reasons: Vec<String> = match plan.decisions.first() {
            None => vec!["withdrawn by hand".to_owned()],
            Some(_) => vec![format!("layered on {image}@{}", family[0].1)],
        };
        reasons.extend(warnings.get(name).into_iter().flatten().cloned());
        let nothing = steps.is_empty();
        let verdict = if nothing {
            Verdict::Keep
        } else {
            Verdict::Revoke
        };
        if nothing {
            reasons = vec![format!("version {version} is revoked already")];
        }
        plan.decisions.push(decision(
            world,
            catalog,
            &records,
            name,
            *version,
            (verdict, reasons),
        ));
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
    let ami = records.iter().find(|r| {
        r.image == *image && r.version == version && places::of_ami(r.ami, &world.account) == home
    });
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

/// Notes about an image, shown with its decision.
type Warnings = BTreeMap<ImageName, BTreeSet<String>>;

/// Returns one step per location that withdraws these versions there, and notes for each image. State and pointers of a
/// location change in the same step: a killed run leaves pointers at revoked AMIs only where it was at work.
fn withdraw(
    catalog: &Catalog,
    world: &World,
    records: &[Record<'_>],
    family: &[(ImageName, Version)],
    reason: &str,
) -> (Vec<Step>, Warnings) {
    let mut steps = Vec::new();
    let mut warnings = Warnings::new();
    for place in places::all(&catalog.settings, &world.account) {
        let scope = format!("revoke@{place}");
        if let Some(why) = places::unread(world, &place) {
            let action = Action::Unread {
                why: why.to_owned(),
            };
            steps.extend(row(
                &scope,
                reason,
                Vec::new(),
                vec![("read", place, action)],
            ));
            continue;
        }
        let here = places::at(records, &place, &world.account);
        let doomed = |r: &Record<'_>| family.iter().any(|(i, v)| *i == r.image && *v == r.version);
        let gone: Vec<&Record<'_>> = here.iter().filter(|r| doomed(r)).collect();
        let key = &catalog.settings.environment_key;
        let unfinished = |r: &&&Record<'_>| {
            r.state != State::Revoked || !r.tag(tags::CURRENT).is_empty() || !r.tag(key).is_empty()
        };
        let amis: Vec<AmiId> = gone
            .iter()
            .filter(unfinished)
            .map(|r| r.ami.id.clone())
            .collect();
        if amis.is_empty() {
            continue;
        }
        let (moves, unpublish) = Location {
            catalog,
            world,
            here: &here,
            place: &place,
        }
        .replace(&gone, &doomed, &mut warnings);
        let action = Action::Withdraw {
            amis,
            moves,
            unpublish,
        };
        steps.extend(row(
            &scope,
            reason,
            Vec::new(),
            vec![("withdraw", place.clone(), action)],
        ));
    }
    (steps, warnings)
}

/// One location of a revocation.
struct Location<'p> {
    catalog: &'p Catalog,
    world: &'p World,
    here: &'p [Record<'p>],
    place: &'p Place,
}

impl Location<'_> {
    /// Returns the moves to the versions that become current instead, and the pointers for which no version is left.
    fn replace(
        &self,
        gone: &[&Record<'_>],
        doomed: &dyn Fn(&Record<'_>) -> bool,
        warnings: &mut Warnings,
    ) -> (Vec<Move>, Vec<String>) {
        let mut unpublish = Vec::new();
        let mut back: BTreeMap<&AmiId, (&Record<'_>, BTreeSet<&EnvName>)> = BTreeMap::new();
        let mut seen: BTreeSet<(&ImageName, &str, &EnvName)> = BTreeSet::new();
        for (record, env) in gone
            .iter()
            .flat_map(|r| r.current.keys().map(move |env| (*r, env)))
        {
            if !seen.insert((&record.image, record.arch.as_str(), env)) {
                continue;
            }
            let name = &record.image;
            let words =
                match revoke::instead(&self.catalog.settings, self.here, record, env, doomed) {
                    Some(to) => {
                        back.entry(&to.ami.id)
                            .or_insert((to, BTreeSet::new()))
                            .1
                            .insert(env);
                        format!("`{env}` goes back to {} in {}", to.version, self.place)
                    }
                    None => {
                        unpublish.push(pointer_name(
                            &self.catalog.settings.name,
                            name,
                            env,
                            record.arch,
                        ));
                        format!(
                            "no version is left for `{env}` in {}: its pointer is deleted",
                            self.place
                        )
                    }
                };
            warnings.entry(name.clone()).or_default().insert(words);
        }
        (
            back.into_values()
                .flat_map(|(to, envs)| self.go_back(to, &envs))
                .collect(),
            unpublish,
        )
    }

    /// Returns the moves that make one AMI current in these environments; all of them set the same tag.
    fn go_back(&self, to: &Record<'_>, envs: &BTreeSet<&EnvName>) -> Vec<Move> {
        let settings = &self.catalog.settings;
        let others = || {
            self.here
                .iter()
                .filter(|r| r.image == to.image && r.arch == to.arch && r.ami.id != to.ami.id)
        };
        let mut now = to.current.clone();
        for env in envs {
            let since = later(
                self.world.taken,
                others().filter_map(|r| r.current.get(*env).copied()),
            );
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
        envs.iter().map(movement).collect()
    }
}
