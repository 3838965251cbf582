//! Checks the values of `bakeline.yaml`.

mod builder;
mod retention;
mod store;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::catalog::checker::{Checker, quote_text};
use crate::catalog::raw::{RawEnvironment, RawNotifier, RawOnFailure, RawSettings, Text};
use crate::catalog::settings::builder::parse_builder;
pub(crate) use crate::catalog::settings::builder::{
    parse_instance_types, parse_subnets, require_profiles,
};
use crate::catalog::settings::retention::{parse_brakes, parse_gates, parse_retention};
use crate::catalog::settings::store::parse_store;
use crate::catalog::types::{Environment, Notifier, OnFailure, Retention, Settings};
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, defaults, syntax};
use crate::checks::Gate;
use crate::diagnostic::nearest;
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
    /// Position of `access: ssm` if the builder has no instance profile, so that each image needs one.
    pub(crate) ssm_without_profile: Option<Range<usize>>,
}

/// Checks the settings. Returns `None` if a setting is invalid.
pub(crate) fn parse_settings(
    raw: RawSettings,
    checker: &mut Checker<'_, '_>,
) -> (Option<Settings>, SharedSettings) {
    let errors_before = checker.diagnostics.error_count();
    let name = raw
        .name
        .as_ref()
        .and_then(|n| checker.check_name(codes::NAME, "a valid catalog name", n, &syntax::NAME))
        .map(CatalogName);
    let regions = parse_regions(raw.regions.as_deref().unwrap_or_default(), checker);
    let environment_key = raw
        .tag_keys
        .and_then(|keys| parse_environment_key(&keys.environment?, checker))
        .unwrap_or(defaults::ENVIRONMENT_KEY.to_owned());
    let general = parse_retention(raw.retention.as_ref(), &defaults::RETENTION, checker);
    let errors_before_environments = checker.diagnostics.error_count();
    let environments = match raw.environments {
        Some(list) => parse_environments(&list, &regions, &general, checker),
        None => default_environments(&regions, &general),
    };
    let names: Vec<EnvName> = environments.iter().map(|e| e.name.clone()).collect();
    let are_environments_valid = checker.diagnostics.error_count() == errors_before_environments;
    let names = are_environments_valid.then_some(names);
    let default_environment = match (&raw.default_environment, &names) {
        (Some(text), Some(names)) => find_environment(text, names, checker),
        _ => None,
    };
    let (builder, ssm) = parse_builder(raw.builder.unwrap_or_default(), &environment_key, checker);
    let notifiers = raw
        .notifiers
        .iter()
        .filter_map(|n| parse_notifier(n, checker))
        .collect();
    let known = SharedSettings {
        environments: names,
        name: name.clone(),
        environment_key: environment_key.clone(),
        max_age: raw.max_age.as_ref().and_then(|t| checker.parse_duration(t)),
        rebase_after: raw.rebase_after.unwrap_or(defaults::REBASE_AFTER),
        require_errexit: raw.scripts.and_then(|s| s.require_errexit).unwrap_or(false),
        ssm_without_profile: ssm,
    };
    let store = raw.store.map_or_else(
        || Some(defaults::store()),
        |s| parse_store(&s, &regions, checker),
    );
    let lease = raw
        .lease
        .as_ref()
        .and_then(|t| checker.parse_duration(t))
        .unwrap_or(defaults::LEASE);
    let on_failure = match raw.on_failure {
        None | Some(RawOnFailure::Stop) => OnFailure::Stop,
        Some(RawOnFailure::Continue) => OnFailure::Continue,
    };
    let impact = raw.checks.and_then(|g| g.fail_from_impact);
    let fail_from_impact = impact.unwrap_or_default();
    let is_valid = !regions.is_empty() && checker.diagnostics.error_count() == errors_before;
    let settings = name
        .zip(store)
        .filter(|_| is_valid)
        .map(|(name, store)| Settings {
            name,
            architectures: BTreeMap::new(),
            regions,
            default_environment,
            environments,
            builder,
            environment_key,
            retention: general,
            brakes: parse_brakes(raw.brakes),
            store,
            lease,
            on_failure,
            notifiers,
            gate: Gate { fail_from_impact },
        });
    (settings, known)
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

fn parse_regions(list: &[Text], checker: &mut Checker<'_, '_>) -> Vec<Region> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in list {
        let name = checker.check_aws_name("a valid Region", Some(text), &syntax::REGION);
        let Some(name) = name else { continue };
        if checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, "Region") {
            out.push(Region(name));
        }
    }
    out
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
    regions: &[Region],
    general: &Retention,
    checker: &mut Checker<'_, '_>,
) -> Vec<Environment> {
    let mut parser = EnvironmentParser {
        regions,
        names: BTreeMap::new(),
        tag_values: BTreeMap::new(),
    };
    let mut out = Vec::new();
    for raw in list {
        let default = defaults::retention_for_level(general, out.len());
        out.extend(parser.parse(&raw.value, &default, checker));
    }
    out
}

/// Parser of environments. Names and tag values must be unique.
struct EnvironmentParser<'r> {
    /// Regions of the catalog.
    regions: &'r [Region],
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
        let role = checker.check_aws_name("a valid role ARN", raw.role.as_ref(), &syntax::ROLE);
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
            role,
            retention,
            gates,
        })
    }
}

fn parse_region_subset(
    list: &[Text],
    all: &[Region],
    checker: &mut Checker<'_, '_>,
) -> Vec<Region> {
    let before = checker.diagnostics.error_count();
    let chosen = parse_regions(list, checker);
    if checker.diagnostics.error_count() > before || all.is_empty() {
        return chosen;
    }
    for text in list
        .iter()
        .filter(|t| !all.iter().any(|r| r.as_str() == t.value))
    {
        let help = match nearest(&text.value, all.iter().map(Region::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it to `regions` at the top level".to_owned(),
        };
        checker
            .error(
                codes::UNKNOWN_REGION,
                &text.span,
                format!(
                    "the Region `{}` is not in `regions` of the catalog",
                    text.value
                ),
            )
            .help(help);
    }
    chosen
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
