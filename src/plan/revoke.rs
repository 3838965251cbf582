//! Plans a revocation: one step per location. A step that fails is not undone; running the command again continues it.

use std::collections::{BTreeMap, BTreeSet};

use super::publish::{allow_launch, decision_tags, later_than, step_chain};
use super::shared::{self, SharedPointers};
use crate::catalog::Catalog;
use crate::lifecycle::{Record, current, locations, revoke, tags};
use crate::model::{
    AmiId, Arch, EnvName, ImageName, Inventory, Location, RunId, State, Tags, Version, pointer_name,
};
use crate::plan::release::PLAN_SCHEMA;
use crate::plan::step::{Action, AmiRef, Decision, Move, Plan, PlanVerdict, Step};
use crate::plan::{Scope, StepName};

/// Plans the revocation of a version and of everything layered on it.
#[must_use]
pub fn plan_revocation(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &ImageName,
    version: Version,
    run: RunId,
) -> Plan {
    let records = Record::read_all(&inventory.images, &catalog.settings);
    let family = revoke::affected_versions(&catalog.settings, &records, image, version);
    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        run,
        decided_at: inventory.captured_at,
        decisions: Vec::new(),
        steps: Vec::new(),
    };
    if !records
        .iter()
        .any(|r| r.image == family[0].0 && r.version == version)
    {
        let reason = format!("`{image}` has no version {version}");
        plan.decisions.push(decision(
            inventory,
            catalog,
            &records,
            image,
            version,
            (PlanVerdict::Blocked, vec![reason]),
        ));
        return plan;
    }
    let (steps, warnings) = withdraw_steps(
        catalog,
        inventory,
        &records,
        &family,
        &format!("revoke {image} {version}"),
    );
    for (name, version) in &family {
        let mut reasons: Vec<String> = match plan.decisions.first() {
            None => vec!["revocation requested".to_owned()],
            Some(_) => vec![format!("layered on {image}@{}", family[0].1)],
        };
        reasons.extend(warnings.get(name).into_iter().flatten().cloned());
        let is_complete = steps.is_empty();
        let verdict = if is_complete {
            PlanVerdict::Keep
        } else {
            PlanVerdict::Revoke
        };
        if is_complete {
            reasons = vec![format!("version {version} is already revoked")];
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
    (verdict, reasons): (PlanVerdict, Vec<String>),
) -> Decision {
    let home = locations::home(&catalog.settings);
    let ami = records.iter().find(|r| {
        r.image == *image
            && r.version == version
            && locations::ami_location(r.ami, &inventory.account) == home
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
type ReplacementNotes = BTreeMap<ImageName, BTreeSet<String>>;

/// Returns a `withdraw` step for each location, and notes for each image.
///
/// The step changes state and pointers together. A killed run leaves pointers to revoked AMIs only
/// in the location that it was changing. An unreachable location gets a `read` step.
fn withdraw_steps(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    family: &[(ImageName, Version)],
    reason: &str,
) -> (Vec<Step>, ReplacementNotes) {
    let mut steps = Vec::new();
    let mut warnings = ReplacementNotes::new();
    for location in locations::in_catalog(&catalog.settings, &inventory.account) {
        let scope = Scope::of_revocation(&location);
        if let Some(why) = locations::unreachable_reason(inventory, &location) {
            let action = Action::Unreachable {
                why: why.to_owned(),
            };
            steps.extend(step_chain(
                &scope,
                reason,
                Vec::new(),
                vec![(StepName::Read, location, action)],
            ));
            continue;
        }
        let here = locations::records_at(records, &location, &inventory.account);
        let is_affected =
            |r: &Record<'_>| family.iter().any(|(i, v)| *i == r.image && *v == r.version);
        let withdrawn: Vec<&Record<'_>> = here.iter().filter(|r| is_affected(r)).collect();
        let key = &catalog.settings.environment_key;
        let unfinished = |r: &&&Record<'_>| {
            let claims = [tags::CURRENT, key, tags::SHARED];
            r.state != State::Revoked || claims.iter().any(|claim| !r.tag(claim).is_empty())
        };
        let amis: Vec<AmiId> = withdrawn
            .iter()
            .filter(unfinished)
            .map(|r| r.ami.id.clone())
            .collect();
        if amis.is_empty() {
            continue;
        }
        let (moves, obsolete_pointers) = Replacement {
            catalog,
            inventory,
            here: &here,
            location: &location,
        }
        .replacements(&withdrawn, &is_affected, &mut warnings);
        let (settings, own) = (&catalog.settings, &inventory.account);
        let grants = shared::missing_grants(settings, &location, own, &moves, &here);
        let action = Action::Withdraw {
            amis,
            moves,
            unpublish: obsolete_pointers,
        };
        let withdrawal = (StepName::Withdraw, location.clone(), action);
        let grant = (!grants.is_empty()).then(|| allow_launch(&location, grants));
        let actions = grant.into_iter().chain([withdrawal]).collect();
        steps.extend(step_chain(&scope, reason, Vec::new(), actions));
    }
    let pointers = shared_pointers(catalog, inventory, records, family, reason, &steps);
    steps.extend(pointers);
    (steps, warnings)
}

/// Returns the steps that move the pointers in the accounts that launch shared AMIs: those of the
/// withdrawn images that name an affected AMI, or one that the plan replaces.
fn shared_pointers(
    catalog: &Catalog,
    inventory: &Inventory,
    records: &[Record<'_>],
    family: &[(ImageName, Version)],
    reason: &str,
    planned: &[Step],
) -> Vec<Step> {
    let settings = &catalog.settings;
    let is_affected = |r: &&Record<'_>| {
        let mut versions = family.iter();
        versions.any(|(image, version)| *image == r.image && *version == r.version)
    };
    let affected = records.iter().filter(is_affected);
    let images: BTreeSet<(&ImageName, Arch)> =
        affected.clone().map(|r| (&r.image, r.arch)).collect();
    let withdrawn: Vec<AmiId> = affected.map(|r| r.ami.id.clone()).collect();
    let mut out = Vec::new();
    for env in &settings.environments {
        for (image, arch) in &images {
            let pointers = SharedPointers {
                settings,
                inventory,
                records,
                image,
                arch: *arch,
                env,
                reason,
                launch: false,
                withdrawn: &withdrawn,
            };
            let name = pointer_name(&settings.name, image, &env.name, *arch);
            out.extend(pointers.steps(planned, &|location| Scope::of_pointer(&name).at(location)));
        }
    }
    out
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
    fn replacements(
        &self,
        withdrawn: &[&Record<'_>],
        is_affected: &dyn Fn(&Record<'_>) -> bool,
        warnings: &mut ReplacementNotes,
    ) -> (Vec<Move>, Vec<String>) {
        let mut obsolete_pointers = Vec::new();
        let mut targets: BTreeMap<&AmiId, (&Record<'_>, BTreeSet<&EnvName>)> = BTreeMap::new();
        let mut seen: BTreeSet<(&ImageName, &str, &EnvName)> = BTreeSet::new();
        for (record, env) in withdrawn
            .iter()
            .flat_map(|r| r.current.keys().map(move |env| (*r, env)))
        {
            if !seen.insert((&record.image, record.arch.as_str(), env)) {
                continue;
            }
            let name = &record.image;
            let note = match revoke::find_replacement(
                &self.catalog.settings,
                self.here,
                record,
                env,
                is_affected,
            ) {
                Some(to) => {
                    targets
                        .entry(&to.ami.id)
                        .or_insert((to, BTreeSet::new()))
                        .1
                        .insert(env);
                    format!("`{env}` moves to {} in {}", to.version, self.location)
                }
                None => {
                    obsolete_pointers.push(pointer_name(
                        &self.catalog.settings.name,
                        name,
                        env,
                        record.arch,
                    ));
                    format!(
                        "no version remains for `{env}` in {}: delete its pointer",
                        self.location
                    )
                }
            };
            warnings.entry(name.clone()).or_default().insert(note);
        }
        (
            targets
                .into_values()
                .flat_map(|(to, envs)| self.moves_to(to, &envs))
                .collect(),
            obsolete_pointers,
        )
    }

    /// Returns the moves that make one AMI current in these environments. All of them set the same
    /// tag.
    fn moves_to(&self, to: &Record<'_>, envs: &BTreeSet<&EnvName>) -> Vec<Move> {
        let settings = &self.catalog.settings;
        let others = || {
            self.here
                .iter()
                .filter(|r| r.image == to.image && r.arch == to.arch && r.ami.id != to.ami.id)
        };
        let mut now = to.current.clone();
        for env in envs {
            let since = later_than(
                self.inventory.captured_at,
                others().filter_map(|r| r.current.get(*env).copied()),
            );
            now.insert((*env).clone(), since);
        }
        let movement = |env: &&EnvName| Move {
            env: (*env).clone(),
            pointer: pointer_name(&settings.name, &to.image, env, to.arch),
            to: AmiRef::Known(to.ami.id.clone()),
            from: Vec::new(),
            before: decision_tags(to, &settings.environment_key),
            tags: Tags::from([(tags::CURRENT.to_owned(), current::format(&now))]),
            untag: Vec::new(),
        };
        envs.iter().map(movement).collect()
    }
}
