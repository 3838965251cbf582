//! Tests of the key `distribute` of an environment.

use super::{load_valid, repository};
use crate::catalog::load;
use crate::model::{Location, Region};

const ACCOUNTS: &str = "accounts: [\"222222222222\"]";
const ORGANIZATION: &str = "arn:aws:organizations::123456789012:organization/o-abcdefghij";
const UNIT: &str = "arn:aws:organizations::123456789012:ou/o-abcdefghij/ou-abcd-12345678";

fn settings_with(environment: &str, more: &str) -> String {
    format!(
        "name: acme\nregions: [eu-west-1, us-east-1]\nenvironments:\n  - name: Test\n  - name: Prod\n    {}\n{more}",
        environment.replace('\n', "\n    ")
    )
}

/// Returns the diagnostics of a catalog as `CODE LINE MESSAGE (HELP)`.
fn problems(environment: &str, more: &str) -> Vec<String> {
    let files = repository(&[("bakeline.yaml", &settings_with(environment, more))]);
    let (catalog, found) = load(&files);
    assert!(catalog.is_none(), "{environment}");
    let text = |d: &crate::diagnostic::Diagnostic| {
        let help = d.help.as_deref().unwrap_or_default();
        assert!(help.is_ascii() && d.message.is_ascii(), "{d:?}");
        format!("{} {} {} ({help})", d.code, d.span.line, d.message)
    };
    found.iter().map(text).collect()
}

#[test]
fn shared_environment_stays_in_the_account_of_the_builder() {
    let text = format!(
        "distribute: share\n{ACCOUNTS}\norganizations: [\"{ORGANIZATION}\"]\norganizational_units: [\"{UNIT}\"]\n\
         role: arn:aws:iam::222222222222:role/bakeline"
    );
    let settings = load_valid(&[("bakeline.yaml", &settings_with(&text, ""))]).settings;
    let prod = settings.environments.last().expect("an environment");
    assert_eq!(
        prod.receivers("111111111111"),
        ["222222222222", ORGANIZATION, UNIT]
    );
    assert_eq!(prod.receivers("222222222222"), [ORGANIZATION, UNIT]);
    let at = |account: Option<&str>, region: &str| Location {
        account: account.map(str::to_owned),
        region: Region::from(region),
    };
    let amis = crate::lifecycle::locations::in_environment(&settings, prod, "111111111111");
    assert_eq!(amis, [at(None, "eu-west-1"), at(None, "us-east-1")]);
    let other = Some("222222222222");
    let receiving = crate::lifecycle::locations::receiving(prod, "111111111111");
    assert_eq!(receiving, [at(other, "eu-west-1"), at(other, "us-east-1")]);
}

#[test]
fn contradicting_distribution_is_reported() {
    let key = "builder: {kms_key: alias/base}\n";
    for (environment, more, expected) in [
        (
            "distribute: share".to_owned(),
            "",
            "CAT056 6 `distribute: share` needs receivers, but the environment names none (set `accounts`, \
             `organizations` or `organizational_units`, or remove `distribute`)",
        ),
        (
            format!("{ACCOUNTS}\norganizations: [\"{ORGANIZATION}\"]"),
            "",
            "CAT056 7 `organizations` has no effect: AMIs cannot be copied to it (set `distribute: share`, or name \
             the accounts in `accounts`)",
        ),
        (
            format!("distribute: copy\norganizational_units: [\"{UNIT}\"]"),
            "",
            "CAT056 7 `organizational_units` has no effect: AMIs cannot be copied to it (set `distribute: share`, or \
             name the accounts in `accounts`)",
        ),
        (
            format!("distribute: share\n{ACCOUNTS}\nkms_key: alias/prod"),
            "",
            "CAT056 8 `kms_key` has no effect: `distribute: share` makes no copies for the environment (remove it; \
             `builder.kms_key` encrypts the AMIs, with one key for each Region)",
        ),
        (
            "distribute: share\norganizations: [o-abcdefghij]".to_owned(),
            "",
            "CAT090 7 `o-abcdefghij` is not a valid organization (use an ARN such as \
             `arn:aws:organizations::123456789012:organization/o-abcdefghij`)",
        ),
        (
            "distribute: share\norganizations: [\"arn:aws-cn:organizations::123456789012:organization/o-abcdefghij\"]"
                .to_owned(),
            "",
            "CAT055 7 the organization is in the partition `aws-cn`, but eu-west-1 is in `aws` (credentials are valid \
             in one partition; use a catalog for each partition)",
        ),
        (
            format!("distribute: share\n{ACCOUNTS}"),
            key,
            "CAT094 8 the builder has no KMS key for the AMIs that are shared in us-east-1 (set one customer managed \
             key for each Region: `kms_key: {us-east-1: KEY, ...}`)",
        ),
        (
            format!("distribute: share\norganizations: [\"{ORGANIZATION}\"]\nregions: [eu-west-1]"),
            "builder: {kms_key: alias/aws/ebs}\n",
            "CAT094 9 AMIs that are encrypted with `alias/aws/ebs` cannot be shared with other accounts (use a \
             customer managed key whose policy allows these accounts)",
        ),
    ] {
        assert_eq!(problems(&environment, more), [expected], "{environment}");
    }
}

#[test]
fn copies_into_another_account_need_a_role() {
    let warnings = |environment: &str, more: &str| -> Vec<String> {
        let files = repository(&[("bakeline.yaml", &settings_with(environment, more))]);
        let (catalog, found) = load(&files);
        assert!(catalog.is_some(), "{found:?}");
        let text = |d: &crate::diagnostic::Diagnostic| format!("{} {}", d.code, d.message);
        found.iter().map(text).collect()
    };
    let missing = |account: &str| {
        vec![format!(
            "CAT056 no `role` to copy AMIs into the account {account}"
        )]
    };
    let two = "accounts: [\"111111111111\", \"222222222222\"]";
    let role = "role: arn:aws:iam::222222222222:role/bakeline";
    let home = "account: \"222222222222\"\n";
    let other = "account: \"333333333333\"\n";
    assert_eq!(warnings(two, ""), missing("222222222222"));
    assert_eq!(warnings(two, home), missing("111111111111"));
    assert_eq!(warnings(ACCOUNTS, other), missing("222222222222"));
    // The only account can be that of the builder.
    let repeated = "accounts: [\"222222222222\", \"222222222222\"]";
    let later = format!("  - name: Late\n    {ACCOUNTS}\n    {role}\n{other}");
    for (environment, more) in [
        (ACCOUNTS.to_owned(), ""),
        (repeated.to_owned(), ""),
        (ACCOUNTS.to_owned(), home),
        (format!("{two}\n{role}"), home),
        (format!("{two}\ndistribute: share"), home),
        (ACCOUNTS.to_owned(), &later),
    ] {
        assert_eq!(
            warnings(&environment, more),
            Vec::<String>::new(),
            "{environment}"
        );
    }
}
