//! Owns the way from the shape of `bakeline.yaml` to settings.

mod retention;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, shown};
use crate::catalog::raw::{
    RawAccess, RawBuilder, RawEnvironment, RawNotifier, RawOnFailure, RawSettings, Text,
};
use crate::catalog::settings::retention::{brakes, gates, retention, store};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{Access, Builder, Environment, Notifier, OnFailure, Retention, Settings};
use crate::catalog::{codes, defaults, syntax};
use crate::checks::Gate;
use crate::diagnostic::nearest;
use crate::model::{CatalogName, EnvName, Region};

/// What other files need to know of the settings, even when some of them are wrong.
#[derive(Debug)]
pub(crate) struct SettingsDefaults {
    /// The ladder, unless it is wrong itself.
    pub(crate) ladder: Option<Vec<EnvName>>,
    /// The catalog's name, if it is right.
    pub(crate) name: Option<CatalogName>,
    /// The key of the environment tag.
    pub(crate) environment_key: String,
    /// How old an image may get, unless it says itself.
    pub(crate) max_age: Option<jiff::SignedDuration>,
    /// After how many builds on itself an image starts anew, unless it says itself.
    pub(crate) rebase_after: u32,
}

/// Checks the settings; `None` when something mandatory is wrong.
pub(crate) fn settings(
    raw: RawSettings,
    c: &mut Checker<'_, '_>,
) -> (Option<Settings>, SettingsDefaults) {
    let before = c.diagnostics.error_count();
    let name = raw
        .name
        .as_ref()
        .and_then(|n| c.name(codes::NAME, "a catalog's name", n, &syntax::NAME));
    let name = name.map(CatalogName);
    let regions = regions(raw.regions.as_deref().unwrap_or_default(), c);
    let key = raw.tag_keys.and_then(|k| k.environment);
    let environment_key = key
        .and_then(|k| environment_key(&k, c))
        .unwrap_or(defaults::ENVIRONMENT_KEY.to_owned());
    let general = retention(raw.retention.as_ref(), &defaults::RETENTION, c);
    let at_ladder = c.diagnostics.error_count();
    let environments = match raw.environments {
        Some(list) => environments(&list, &regions, &general, c),
        None => {
            let mut all = defaults::environments(&regions);
            all.iter_mut()
                .enumerate()
                .for_each(|(rung, e)| e.retention = defaults::retention_for_level(&general, rung));
            all
        }
    };
    let names: Vec<EnvName> = environments.iter().map(|e| e.name.clone()).collect();
    let ladder = (c.diagnostics.error_count() == at_ladder).then_some(names);
    let default_environment = match (&raw.default_environment, &ladder) {
        (Some(text), Some(ladder)) => find_environment(text, ladder, c),
        _ => None,
    };
    let builder = builder(raw.builder.unwrap_or_default(), &environment_key, c);
    let notifiers = raw
        .notifiers
        .iter()
        .filter_map(|n| notifier(n, c))
        .collect();
    let max_age = raw.max_age.as_ref().and_then(|t| c.time(t));
    let rebase_after = raw.rebase_after.unwrap_or(defaults::REBASE_AFTER);
    let known = SettingsDefaults {
        ladder,
        name: name.clone(),
        environment_key: environment_key.clone(),
        max_age,
        rebase_after,
    };
    let store = raw
        .store
        .map_or_else(|| Some(defaults::store()), |s| store(&s, &regions, c));
    let lease = raw
        .lease
        .as_ref()
        .and_then(|t| c.time(t))
        .unwrap_or(defaults::LEASE);
    let on_failure = match raw.on_failure {
        None | Some(RawOnFailure::Stop) => OnFailure::Stop,
        Some(RawOnFailure::Continue) => OnFailure::Continue,
    };
    let sound = !regions.is_empty() && c.diagnostics.error_count() == before;
    let settings = name
        .zip(store)
        .filter(|_| sound)
        .map(|(name, store)| Settings {
            name,
            regions,
            default_environment,
            environments,
            builder,
            environment_key,
            retention: general,
            brakes: brakes(raw.brakes),
            store,
            lease,
            on_failure,
            notifiers,
            gate: Gate {
                fail_from_impact: raw
                    .checks
                    .and_then(|g| g.fail_from_impact)
                    .unwrap_or_default(),
            },
        });
    (settings, known)
}

/// Finds an environment on the ladder by its name.
pub(crate) fn find_environment(
    text: &Text,
    ladder: &[EnvName],
    c: &mut Checker<'_, '_>,
) -> Option<EnvName> {
    if let Some(found) = ladder.iter().find(|e| e.as_str() == text.value) {
        return Some(found.clone());
    }
    let names = || ladder.iter().map(EnvName::as_str);
    let help = match nearest(&text.value, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the ladder is {}", names().collect::<Vec<_>>().join(" < ")),
    };
    c.error(
        codes::UNKNOWN_ENVIRONMENT,
        &text.span,
        format!("there is no environment `{}`", shown(&text.value)),
    )
    .help(help);
    None
}

/// Reports an entry that was there before; true when it is new.
pub(crate) fn check_unique<'t>(
    seen: &mut BTreeMap<String, Range<usize>>,
    text: &'t Text,
    (code, what): (&'static str, &str),
    c: &mut Checker<'_, '_>,
) -> Option<&'t Text> {
    if let Some(earlier) = seen.get(&text.value) {
        let earlier = c.source.span(earlier.clone());
        c.error(
            code,
            &text.span,
            format!("{what} `{}` is given twice", shown(&text.value)),
        )
        .help("keep one of them")
        .related(earlier, "first given here");
        return None;
    }
    seen.insert(text.value.clone(), text.span.clone());
    Some(text)
}

fn regions(list: &[Text], c: &mut Checker<'_, '_>) -> Vec<Region> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in list {
        let name = c.aws("a Region", Some(text), &syntax::REGION);
        if let (Some(name), Some(_)) = (
            name,
            check_unique(&mut seen, text, (codes::DUPLICATE_ENTRY, "the Region"), c),
        ) {
            out.push(Region(name));
        }
    }
    out
}

fn environment_key(key: &Text, c: &mut Checker<'_, '_>) -> Option<String> {
    if syntax::reserved_tag(&key.value) {
        c.error(
            codes::RESERVED_TAG,
            &key.span,
            format!("the tag key `{}` is reserved", shown(&key.value)),
        )
        .help("`Name`, `aws:*` and `bakeline:*` are taken; choose another");
        return None;
    }
    c.free_key(key).then(|| key.value.clone())
}

fn environments(
    list: &[Spanned<RawEnvironment>],
    all: &[Region],
    general: &Retention,
    c: &mut Checker<'_, '_>,
) -> Vec<Environment> {
    let (mut names, mut values) = (BTreeMap::new(), BTreeMap::new());
    let mut out = Vec::new();
    for Spanned { value: raw, .. } in list {
        let Some(given) = &raw.name else { continue };
        let name = c.name(
            codes::NAME,
            "an environment's name",
            given,
            &syntax::ENVIRONMENT,
        );
        // Published parameters and people's queries should not depend on the case.
        let folded = Text {
            value: given.value.to_lowercase(),
            span: given.span.clone(),
        };
        let new = check_unique(
            &mut names,
            &folded,
            (codes::DUPLICATE_ENVIRONMENT, "the environment"),
            c,
        )
        .is_some();
        let tag = raw.tag_value.as_ref().unwrap_or(given);
        let tag_value = c.tag_value("an environment's tag value", tag);
        let regions = match &raw.regions {
            None => all.to_vec(),
            Some(list) => subset(list, all, c),
        };
        let accounts = raw
            .accounts
            .iter()
            .filter_map(|a| c.aws("an account id", Some(a), &syntax::ACCOUNT))
            .collect();
        let role = c.aws("a role's ARN", raw.role.as_ref(), &syntax::ROLE);
        let retention = retention(
            raw.retention.as_ref(),
            &defaults::retention_for_level(general, out.len()),
            c,
        );
        let gates = gates(raw.gates.as_ref(), c);
        if tag_value.as_deref() == Some("") {
            c.error(
                codes::TAG_LIMIT,
                &tag.span,
                "an environment's tag value is empty",
            )
            .help("give it a value");
        } else if new {
            check_unique(
                &mut values,
                tag,
                (codes::DUPLICATE_ENVIRONMENT, "the tag value"),
                c,
            );
        }
        if let (Some(name), Some(tag_value)) = (name, tag_value) {
            out.push(Environment {
                name: EnvName(name),
                tag_value,
                regions,
                accounts,
                role,
                retention,
                gates,
            });
        }
    }
    out
}

fn subset(list: &[Text], all: &[Region], c: &mut Checker<'_, '_>) -> Vec<Region> {
    let before = c.diagnostics.error_count();
    let chosen = regions(list, c);
    if c.diagnostics.error_count() > before || all.is_empty() {
        return chosen;
    }
    for text in list
        .iter()
        .filter(|t| !all.iter().any(|r| r.as_str() == t.value))
    {
        let help = match nearest(&text.value, all.iter().map(Region::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it to `regions` at the top".to_owned(),
        };
        c.error(
            codes::UNKNOWN_REGION,
            &text.span,
            format!("`{}` is not one of the catalog's regions", text.value),
        )
        .help(help);
    }
    chosen
}

fn builder(raw: RawBuilder, environment_key: &str, c: &mut Checker<'_, '_>) -> Builder {
    let default = defaults::builder();
    let instance_type = c.aws(
        "an instance type",
        raw.instance_type.as_ref(),
        &syntax::INSTANCE_TYPE,
    );
    Builder {
        instance_type: instance_type.unwrap_or(default.instance_type),
        subnet: c.aws("a subnet's id", raw.subnet.as_ref(), &syntax::SUBNET),
        instance_profile: c.aws(
            "an instance profile",
            raw.instance_profile.as_ref(),
            &syntax::INSTANCE_PROFILE,
        ),
        public_address: raw.public_address.unwrap_or(default.public_address),
        tags: c.tags(&raw.tags, environment_key),
        access: raw.access.map_or(default.access, |a| access(&a.value, c)),
    }
}

fn access(raw: &RawAccess, c: &mut Checker<'_, '_>) -> Access {
    let RawAccess::Cidrs(list) = raw else {
        return Access::Ssm;
    };
    let mut seen = BTreeMap::new();
    for text in list {
        match syntax::cidr(&text.value) {
            Err(help) => {
                let message = format!("`{}` is not an address range", shown(&text.value));
                c.error(codes::AWS_SYNTAX, &text.span, message).help(help);
            }
            Ok(wide) => {
                if wide {
                    let span = c.source.span(text.span.clone());
                    c.diagnostics
                        .warning(
                            codes::OPEN_ACCESS,
                            span,
                            format!("`{}` lets in most of the internet", text.value),
                        )
                        .help("name your runners' addresses, or use `access: ssm`");
                }
                check_unique(
                    &mut seen,
                    text,
                    (codes::DUPLICATE_ENTRY, "the address range"),
                    c,
                );
            }
        }
    }
    Access::Cidrs(list.iter().map(|t| t.value.clone()).collect())
}

fn notifier(raw: &RawNotifier, c: &mut Checker<'_, '_>) -> Option<Notifier> {
    let RawNotifier::Slack(slack) = raw;
    let text = slack.webhook_env.as_ref()?;
    if text.value.contains("://") {
        c.error(codes::SECRET, &text.span, "a webhook's address is a secret and does not belong here")
            .help("put it into an environment variable and name that here: `webhook_env: BAKELINE_SLACK_WEBHOOK_URL`");
        return None;
    }
    let name = c.name(
        codes::WEBHOOK_ENV,
        "the name of an environment variable",
        text,
        &syntax::VARIABLE,
    )?;
    Some(Notifier::Slack { webhook_env: name })
}
