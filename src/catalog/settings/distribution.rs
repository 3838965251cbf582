//! Checks the key `distribute` of an environment, and the keys that depend on it.

use std::collections::BTreeMap;

use super::regions::check_partition;
use crate::catalog::checker::Checker;
use crate::catalog::raw::{RawDistribute, RawEnvironment, Text};
use crate::catalog::syntax::Syntax;
use crate::catalog::types::Distribution;
use crate::catalog::yaml::deserialize::Spanned;
use crate::catalog::{codes, syntax};
use crate::model::Region;

/// Returns the distribution of an environment, and reports settings that contradict it.
pub(super) fn parse_distribution(
    raw: &RawEnvironment,
    home: Option<&Region>,
    checker: &mut Checker<'_, '_>,
) -> Distribution {
    let organizations = [
        (&raw.organizations, "organization", &syntax::ORGANIZATION),
        (
            &raw.organizational_units,
            "organizational unit",
            &syntax::ORGANIZATIONAL_UNIT,
        ),
    ];
    let organizations: Vec<String> = organizations
        .into_iter()
        .flat_map(|(list, what, syntax)| parse_arns(list, (what, syntax), home, checker))
        .collect();
    let distribute = raw.distribute.as_ref();
    let Some(distribute) = distribute.filter(|d| d.value == RawDistribute::Share) else {
        let lists = [
            (&raw.organizations, "organizations"),
            (&raw.organizational_units, "organizational_units"),
        ];
        for (list, key) in lists {
            let Some(first) = list.first() else { continue };
            let message = format!("`{key}` has no effect: AMIs cannot be copied to it");
            checker
                .error(codes::DISTRIBUTION, &first.span, message)
                .help("set `distribute: share`, or name the accounts in `accounts`");
        }
        return Distribution::Copy;
    };
    let lists = [&raw.accounts, &raw.organizations, &raw.organizational_units];
    if lists.iter().all(|list| list.is_empty()) {
        let message = "`distribute: share` needs receivers, but the environment names none";
        checker
            .error(codes::DISTRIBUTION, &distribute.span, message)
            .help(
                "set `accounts`, `organizations` or `organizational_units`, or remove `distribute`",
            );
    }
    if let Some(key) = &raw.kms_key {
        let message =
            "`kms_key` has no effect: `distribute: share` makes no copies for the environment";
        checker
            .error(codes::DISTRIBUTION, &key.span, message)
            .help("remove it; `builder.kms_key` encrypts the AMIs, with one key for each Region");
    }
    Distribution::Share { organizations }
}

/// Warns about environments whose AMIs are copied into an account without a role to enter it. Another
/// environment can have the role. `home` is the account of the builder, if the catalog names it.
pub(super) fn check_roles(
    environments: &[Spanned<RawEnvironment>],
    home: Option<&str>,
    checker: &mut Checker<'_, '_>,
) {
    for raw in environments.iter().map(|raw| &raw.value) {
        let is_shared = raw.distribute.as_ref().map(|d| d.value) == Some(RawDistribute::Share);
        let Some(account) = other_account(&raw.accounts, home) else {
            continue;
        };
        if is_shared || has_role(environments, account) {
            continue;
        }
        let message = format!("no `role` to copy AMIs into the account {}", account.value);
        let span = checker.source.span(account.span.clone());
        checker
            .diagnostics
            .warning(codes::DISTRIBUTION, span, message)
            .help("set `role` of the environment before a promotion, or `distribute: share`");
    }
}

/// Returns an account that is not the builder's. A single one may be, if the builder's is unknown.
fn other_account<'a>(accounts: &'a [Text], home: Option<&str>) -> Option<&'a Text> {
    match home {
        Some(home) => accounts.iter().find(|account| account.value != home),
        None => accounts
            .iter()
            .find(|account| account.value != accounts[0].value),
    }
}

/// Returns whether an environment has a role for an account.
fn has_role(environments: &[Spanned<RawEnvironment>], account: &Text) -> bool {
    let with_role = environments.iter().filter(|raw| raw.value.role.is_some());
    let mut accounts = with_role.flat_map(|raw| &raw.value.accounts);
    accounts.any(|other| other.value == account.value)
}

/// Returns the valid ARNs of a list, and reports the others.
fn parse_arns(
    list: &[Text],
    (what, syntax): (&str, &Syntax),
    home: Option<&Region>,
    checker: &mut Checker<'_, '_>,
) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut out = Vec::new();
    for text in list {
        let arn = checker.check_aws_name(&format!("a valid {what}"), Some(text), syntax);
        let Some((arn, home)) = arn.zip(home) else {
            continue;
        };
        let partition = arn.split(':').nth(1).unwrap_or_default();
        let is_new = checker.check_unique(&mut seen, text, codes::DUPLICATE_ENTRY, what);
        if is_new && check_partition((what, partition), &text.span, home, checker) {
            out.push(arn);
        }
    }
    out
}
