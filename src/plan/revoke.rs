//! Plans a revocation: one step per location. A step that fails is not undone; running the command again continues it.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::{before, later, row};
use crate::catalog::Catalog;
use crate::lifecycle::{Record, current, locations, revoke, tags};
use crate::model::{
    AmiId, EnvName, ImageName, Inventory, Location, RunId, State, Tags, Version, pointer_name,
};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, Step, Verdict};

/// Decides the revocation of a version and of everything layered on it.
#[must_use]
pub fn plan(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &ImageName,
    version: Version,
    run: RunId,
) -> Plan {
    let records = Record::all(&inventory.images, &catalog.settings.name);
    let family = revoke::family(&records, image, version);
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        run,
        made: inventory.taken,
        decisions: Vec::new(),
        steps: Vec::new(),
    };
    if !records
        .iter()
        .any(|r| r.image == *image && r.version == version)
    {
        let reason = format!("there is no version {version} of `{image}`");
        plan.decisions.push(decision(
            inventory,
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
        inventory,
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
            inventory,
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
    inventory: &Inventory,
    catalog: &Catalog,
    records: &[Record<'_>],
    image: &ImageName,
    version: Version,
    (verdict, reasons): (Verdict, Vec<String>),
) -> Decision {
    let home = locations::home(&catalog.settings);
    let ami = records.iter().find(|r| {
        r.image == *image
            && r.version == version
            && locations::of_ami(r.ami, &inventory.account) == home
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
    inventory: &Inventory,
    records: &[Record<'_>],
    family: &[(ImageName, Version)],
    reason: &str,
) -> (Vec<Step>, Warnings) {
    let mut steps = Vec::new();
    let mut warnings = Warnings::new();
    for location in locations::all(&catalog.settings, &inventory.account) {
        let scope = format!("revoke@{location}");
        if let Some(why) = locations::unread(inventory, &location) {
            let action = Action::Unread {
                why: why.to_owned(),
            };
            steps.extend(row(
                &scope,
                reason,
                Vec::new(),
                vec![("read", location, action)],
            ));
            continue;
        }
        let here = locations::at(records, &location, &inventory.account);
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
        let (moves, unpublish) = Replacement {
            catalog,
            inventory,
            here: &here,
            location: &location,
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
            vec![("withdraw", location.clone(), action)],
        ));
    }
    (steps, warnings)
}

/// One location of a revocation.
struct Replacement<'p> {
    catalog: &'p Catalog,
    inventory: &'p Inventory,
    here: &'p [Record<'p>],
    location: &'p Location,
}

impl Replacement<'_> {
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
                        format!("`{env}` goes back to {} in {}", to.version, self.location)
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
                            self.location
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
                self.inventory.taken,
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
