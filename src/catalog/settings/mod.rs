//! Checks the values of `bakeline.yaml`.

mod builder;
mod distribution;
mod kms;
mod launch;
mod regions;
mod retention;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::catalog::checker::{Checker, MAX_VALUE, quote_text};
use crate::catalog::raw::{
    RawBuilder, RawEnvironment, RawGate, RawNotifier, RawOnFailure, RawSettings, Text,
};
use crate::catalog::settings::builder::{is_private, parse_builder};
pub(crate) use crate::catalog::settings::builder::{
    parse_imds, parse_instance_types, parse_subnets, warn_about_private_access,
};
use crate::catalog::settings::distribution::{check_roles, parse_distribution};
use crate::catalog::settings::kms::{check_builder_keys, parse_environment_keys};
use crate::catalog::settings::launch::parse_launch;
use crate::catalog::settings::regions::{
    check_partition, parse_catalog_regions, parse_region_subset,
};
use crate::catalog::settings::retention::{parse_brakes, parse_gates, parse_retention};
use crate::catalog::settings::store::parse_store;
use crate::catalog::types::{
    Access, Builder, Environment, Notifier, OnFailure, Retention, Settings,
};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, defaults, syntax};
use crate::checks::Gate;
use crate::diagnostic::{Span, nearest};
use crate::model::{CatalogName, EnvName, Region};

/// Settings that other files need, also if some settings are invalid.
#[derive(Debug)]
pub(crate) struct SharedSettings {
    /// Names of the environments in order, if they are valid.
    pub(crate) environments: Option<Vec<EnvName>>,
    /// Name of the catalog, if it is valid.
    pub(crate) name: Option<CatalogName>,
    /// Key of the environment tag.
    pub(crate) environment_key: String,
    /// Maximum age of images without their own `max_age`.
    pub(crate) max_age: Option<jiff::SignedDuration>,
    /// Number of builds before a build starts from the origin again, for images without their own
    /// `rebase_after`.
    pub(crate) rebase_after: u32,
    /// True if a shell script without `set -e` is an error.
    pub(crate) require_errexit: bool,
    /// Keys of the tags of the builder.
    pub(crate) builder_tags: BTreeSet<String>,
    /// True if only private addresses may connect by SSH.
    pub(crate) is_access_private: bool,
    /// Setting that requires an instance profile, unless the builder has one.
    pub(crate) profile_needed: Option<Span>,
}

/// Checks the settings. Returns `None` if a setting is invalid.
pub(crate) fn parse_settings(
    raw: RawSettings,
    checker: &mut Checker<'_, '_>,
) -> (Option<Settings>, SharedSettings) {
    let errors_before = checker.diagnostics.error_count();
    let name = raw.name.as_ref().and_then(|n| parse_name(n, checker));
    let account =
        checker.check_aws_name("a valid account ID", raw.account.as_ref(), &syntax::ACCOUNT);
    let regions = parse_catalog_regions(raw.regions.as_deref().unwrap_or_default(), checker);
    let environment_key = raw
        .tag_keys
        .and_then(|keys| parse_environment_key(&keys.environment?, checker))
        .unwrap_or(defaults::ENVIRONMENT_KEY.to_owned());
    let general = parse_retention(raw.retention.as_ref(), &defaults::RETENTION, checker);
    let errors_before_environments = checker.diagnostics.error_count();
    let raw_environments = raw.environments.as_deref().unwrap_or_default();
    let environments = match &raw.environments {
        Some(list) => parse_environments(list, (&regions, &environment_key), &general, checker),
        None => default_environments(&regions, &general),
    };
    check_roles(raw_environments, account.as_deref(), checker);
    let names = environments.iter().map(|e| e.name.clone());
    let are_valid = checker.diagnostics.error_count() == errors_before_environments;
    let names: Option<Vec<EnvName>> = are_valid.then(|| names.collect());
    let default_environment = match (&raw.default_environment, &names) {
        (Some(text), Some(names)) => find_environment(text, names, checker),
        _ => None,
    };
    let raw_builder = raw.builder.unwrap_or_default();
    let builder = parse_builder(&raw_builder, &regions, &environment_key, checker);
    let raw_key = raw_builder.kms_key.as_ref();
    let facts = (&builder.kms_keys, &*regions, &*environments);
    check_builder_keys(raw_key, raw_environments, facts, checker);
    let notifiers = raw.notifiers.iter();
    let notifiers = notifiers
        .filter_map(|n| parse_notifier(n, checker))
        .collect();
    let known = SharedSettings {
        environments: names,
        name: name.clone(),
        environment_key: environment_key.clone(),
        max_age: raw.max_age.as_ref().and_then(|t| checker.parse_duration(t)),
        rebase_after: raw.rebase_after.unwrap_or(defaults::REBASE_AFTER),
        require_errexit: raw.scripts.and_then(|s| s.require_errexit).unwrap_or(false),
        builder_tags: builder.tags.keys().cloned().collect(),
        is_access_private: is_private(&builder.access),
        profile_needed: profile_needed(&raw_builder, &builder, checker),
    };
    let store = raw.store.map_or_else(
        || Some(defaults::store()),
        |s| parse_store(&s, &regions, checker),
    );
    let lease = raw.lease.as_ref().and_then(|t| checker.parse_duration(t));
    let on_failure = raw.on_failure.map_or(OnFailure::Stop, parse_on_failure);
    let is_valid = !regions.is_empty() && checker.diagnostics.error_count() == errors_before;
    let settings = name
        .zip(store)
        .filter(|_| is_valid)
        .map(|(name, store)| Settings {
            name,
            account,
            architectures: BTreeMap::new(),
            regions,
            default_environment,
            environments,
            builder,
            environment_key,
            retention: general,
            brakes: parse_brakes(raw.brakes),
            store,
            lease: lease.unwrap_or(defaults::LEASE),
            on_failure,
            notifiers,
            gate: parse_gate(raw.checks.as_ref()),
        });
    (settings, known)
}

fn parse_name(text: &Text, checker: &mut Checker<'_, '_>) -> Option<CatalogName> {
    let name = checker.check_name(codes::NAME, "a valid catalog name", text, &syntax::NAME);
    name.map(CatalogName)
}

fn parse_gate(raw: Option<&RawGate>) -> Gate {
    let fail_from_impact = raw.and_then(|gate| gate.fail_from_impact);
    Gate {
        fail_from_impact: fail_from_impact.unwrap_or_default(),
    }
}

fn parse_on_failure(raw: RawOnFailure) -> OnFailure {
    match raw {
        RawOnFailure::Stop => OnFailure::Stop,
        RawOnFailure::Continue => OnFailure::Continue,
    }
}

/// Returns the setting that requires an instance profile, if the builder has none.
fn profile_needed(raw: &RawBuilder, builder: &Builder, checker: &Checker<'_, '_>) -> Option<Span> {
    let is_missing = builder.access == Access::Ssm && builder.instance_profile.is_none();
    let access = raw.access.as_ref().filter(|_| is_missing)?;
    Some(checker.source.span(access.span.clone()))
}

/// Returns the default environments with the retention of the catalog.
fn default_environments(regions: &[Region], general: &Retention) -> Vec<Environment> {
    let mut environments = defaults::environments(regions);
    for (level, environment) in environments.iter_mut().enumerate() {
        environment.retention = defaults::retention_for_level(general, level);
    }
    environments
}

/// Finds an environment by its name, and reports an unknown one.
pub(crate) fn find_environment(
    text: &Text,
    environments: &[EnvName],
    checker: &mut Checker<'_, '_>,
) -> Option<EnvName> {
    if let Some(found) = environments.iter().find(|e| e.as_str() == text.value) {
        return Some(found.clone());
    }
    let names = || environments.iter().map(EnvName::as_str);
    let help = match nearest(&text.value, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if environments.is_empty() => {
            "define it in `environments` of bakeline.yaml".to_owned()
        }
        None => format!(
            "the environments are {}",
            names().collect::<Vec<_>>().join(" < ")
        ),
    };
    checker
        .error(
            codes::UNKNOWN_ENVIRONMENT,
            &text.span,
            format!(
                "the environment `{}` does not exist",
                quote_text(&text.value)
            ),
        )
        .help(help);
    None
}

fn parse_environment_key(key: &Text, checker: &mut Checker<'_, '_>) -> Option<String> {
    if syntax::is_reserved_tag(&key.value) {
        checker
            .error(
                codes::RESERVED_TAG,
                &key.span,
                format!("the tag key `{}` is reserved", quote_text(&key.value)),
            )
            .help("`Name`, `aws:*` and `bakeline:*` are reserved; use another key");
        return None;
    }
    checker.check_tag_key(key).then(|| key.value.clone())
}

fn parse_environments(
    list: &[Spanned<RawEnvironment>],
    (regions, environment_key): (&[Region], &str),
    general: &Retention,
    checker: &mut Checker<'_, '_>,
) -> Vec<Environment> {
    let mut parser = EnvironmentParser {
        regions,
        environment_key,
        names: BTreeMap::new(),
        tag_values: BTreeMap::new(),
    };
    let mut out = Vec::new();
    for raw in list {
        let default = defaults::retention_for_level(general, out.len());
        out.extend(parser.parse(&raw.value, &default, checker));
    }
    check_current_tag(list, checker);
    out
}

/// Reports environments whose names do not fit into `bakeline:current`, in which a version that is
/// current in all of them has each name with a time.
fn check_current_tag(list: &[Spanned<RawEnvironment>], checker: &mut Checker<'_, '_>) {
    const TIME: usize = "=2026-01-01T00:00:00Z".len();
    let mut length = 0;
    for raw in list {
        let Some(name) = &raw.value.name else {
            continue;
        };
        let separator = usize::from(length > 0);
        let before = length;
        length += separator + name.value.chars().count() + TIME;
        if before <= MAX_VALUE && length > MAX_VALUE {
            let message = format!(
                "the tag `bakeline:current` could have {length} characters with this environment; the limit is \
                 {MAX_VALUE}"
            );
            checker
                .error(codes::TAG_LIMIT, &name.span, message)
                .help("use shorter names or fewer environments");
        }
    }
}

/// Parser of environments. Names and tag values must be unique.
struct EnvironmentParser<'r> {
    /// Regions of the catalog.
    regions: &'r [Region],
    /// Key of the environment tag.
    environment_key: &'r str,
    names: BTreeMap<String, Range<usize>>,
    tag_values: BTreeMap<String, Range<usize>>,
}

impl EnvironmentParser<'_> {
    fn parse(
        &mut self,
        raw: &RawEnvironment,
        default_retention: &Retention,
        checker: &mut Checker<'_, '_>,
    ) -> Option<Environment> {
        let name_text = raw.name.as_ref()?;
        let name = checker.check_name(
            codes::NAME,
            "a valid environment name",
            name_text,
            &syntax::ENVIRONMENT,
        );
        // Names that differ only in case would be confused in parameters and queries.
        let folded = Text {
            value: name_text.value.to_lowercase(),
            span: name_text.span.clone(),
        };
        let code = codes::DUPLICATE_ENVIRONMENT;
        let is_new = checker.check_unique(&mut self.names, &folded, code, "environment");
        let tag = raw.tag_value.as_ref().unwrap_or(name_text);
        let tag_value = checker.check_tag_value("the tag value of an environment", tag);
        let regions = match &raw.regions {
            None => self.regions.to_vec(),
            Some(list) => parse_region_subset(list, self.regions, checker),
        };
        let accounts = raw
            .accounts
            .iter()
            .filter_map(|a| checker.check_aws_name("a valid account ID", Some(a), &syntax::ACCOUNT))
            .collect();
        let role = parse_role(raw.role.as_ref(), self.regions.first(), checker);
        let read_role = parse_role(raw.read_role.as_ref(), self.regions.first(), checker);
        let external_id = checker.check_aws_name(
            "a valid external ID",
            raw.external_id.as_ref(),
            &syntax::EXTERNAL_ID,
        );
        let kms_keys = parse_environment_keys(raw, &regions, self.regions.first(), checker);
        let retention = parse_retention(raw.retention.as_ref(), default_retention, checker);
        let gates = parse_gates(raw.gates.as_ref(), checker);
        if tag_value.as_deref() == Some("") {
            checker
                .error(
                    codes::TAG_LIMIT,
                    &tag.span,
                    "the tag value of an environment is empty",
                )
                .help("set a value, or remove `tag_value` to use the name");
        } else if is_new {
            checker.check_unique(&mut self.tag_values, tag, code, "tag value");
        }
        Some(Environment {
            name: EnvName(name?),
            tag_value: tag_value?,
            regions,
            accounts,
            distribution: parse_distribution(raw, self.regions.first(), checker),
            role,
            kms_keys,
            launch: parse_launch(raw.launch.as_ref(), self.environment_key, checker),
            read_role,
            external_id,
            retention,
            gates,
        })
    }
}

/// Returns the ARN of a role. Reports a role of another partition than the Regions.
fn parse_role(
    text: Option<&Text>,
    home: Option<&Region>,
    checker: &mut Checker<'_, '_>,
) -> Option<String> {
    let role = checker.check_aws_name("a valid role ARN", text, &syntax::ROLE)?;
    let (text, home) = (text?, home?);
    let partition = role.split(':').nth(1).unwrap_or_default();
    check_partition(("role", partition), &text.span, home, checker).then_some(role)
}

fn parse_notifier(raw: &RawNotifier, checker: &mut Checker<'_, '_>) -> Option<Notifier> {
    let RawNotifier::Slack(slack) = raw;
    let text = slack.webhook_env.as_ref()?;
    if text.value.contains("://") {
        let message = "webhook URLs are secrets and must not be committed";
        checker.error(codes::SECRET, &text.span, message).help(
            "store the URL in an environment variable and set its name: \
                   `webhook_env: BAKELINE_SLACK_WEBHOOK_URL`",
        );
        return None;
    }
    let name = checker.check_name(
        codes::WEBHOOK_ENV,
        "a valid name of an environment variable",
        text,
        &syntax::VARIABLE,
    )?;
    Some(Notifier::Slack { webhook_env: name })
}
