//! Tests of KMS keys, and of Regions and ARNs of several partitions.

use super::{SETTINGS, load_valid, repository};
use crate::catalog::{Settings, load};
use crate::model::{Location, Region};

const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const TWO: &str = "name: acme\nregions: [eu-west-1, us-east-1]\n";
const ARN: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Returns the settings of a valid catalog.
fn settings(text: &str) -> Settings {
    load_valid(&[("bakeline.yaml", text)]).settings
}

/// Returns the keys of the build, and of the copies for the last environment: at home, in the second
/// Region, and in both Regions of another account.
fn keys(more: &str) -> [Option<String>; 5] {
    let settings = settings(&format!("{TWO}{more}"));
    let last = settings.environments.last().expect("an environment");
    let copy_key = |account: Option<&str>, region: &str| {
        let location = Location {
            account: account.map(str::to_owned),
            region: Region::from(region),
        };
        settings.copy_key(last, &location).map(str::to_owned)
    };
    let other = Some("222222222222");
    [
        settings.build_key().map(str::to_owned),
        copy_key(None, "eu-west-1"),
        copy_key(None, "us-east-1"),
        copy_key(other, "eu-west-1"),
        copy_key(other, "us-east-1"),
    ]
}

#[test]
fn key_of_a_copy_depends_on_environment_and_account() {
    let some = |keys: [&str; 5]| keys.map(|key| (!key.is_empty()).then(|| key.to_owned()));
    for (more, expected) in [
        ("", ["", "", "", "", ""]),
        (
            "builder: {kms_key: alias/b}",
            ["alias/b", "alias/b", "", "", ""],
        ),
        (
            "builder: {kms_key: {eu-west-1: alias/b, us-east-1: alias/c}}",
            ["alias/b", "alias/b", "alias/c", "", ""],
        ),
        (
            "environments: [{name: A}, {name: B, kms_key: alias/e}]",
            ["", "", "alias/e", "", "alias/e"],
        ),
        (
            "environments: [{name: A}, {name: B, accounts: [\"222222222222\"], kms_key: alias/e}]",
            ["", "alias/e", "alias/e", "alias/e", "alias/e"],
        ),
        (
            "builder: {kms_key: {eu-west-1: alias/b, us-east-1: alias/c}}\n\
             environments: [{name: A}, {name: B, accounts: [\"222222222222\"], \
             kms_key: {eu-west-1: alias/e, us-east-1: alias/f}}]",
            ["alias/b", "alias/e", "alias/f", "alias/e", "alias/f"],
        ),
    ] {
        assert_eq!(keys(more), some(expected), "{more}");
    }
}

#[test]
fn valid_keys_of_every_form_are_accepted() {
    let partition = |region: &str| Region::from(region).partition();
    for (region, key) in [
        ("eu-west-1", KEY),
        ("eu-west-1", "mrk-1234abcd12ab34cd56ef1234567890ab"),
        ("eu-west-1", "alias/images/base_1"),
        ("eu-west-1", ARN),
        (
            "cn-north-1",
            "arn:aws-cn:kms:cn-north-1:111122223333:alias/a",
        ),
        (
            "us-gov-west-1",
            "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
        ),
        (
            "eusc-de-east-1",
            "arn:aws-eusc:kms:eusc-de-east-1:111122223333:alias/a",
        ),
    ] {
        let text = format!("name: acme\nregions: [{region}]\nbuilder: {{kms_key: \"{key}\"}}\n");
        let settings = settings(&text);
        assert_eq!(settings.build_key(), Some(key));
        let is_of_region =
            !key.starts_with("arn:") || key.split(':').nth(1) == Some(partition(region));
        assert!(is_of_region, "{key}");
    }
}

/// Returns `CODE line:column message | help` of the only diagnostic.
fn diagnostic(text: &str) -> String {
    let (_, found) = load(&repository(&[("bakeline.yaml", text)]));
    assert_eq!(found.len(), 1, "{text}: {found:#?}");
    let (first, help) = (&found[0], found[0].help.clone().unwrap_or_default());
    let place = &first.span;
    format!(
        "{} {}:{} {} | {help}",
        first.code, place.line, place.column, first.message
    )
}

#[test]
fn invalid_keys_have_positions_and_remedies() {
    let role = "role: \"arn:aws:iam::222222222222:role/b\"";
    let foreign = format!("accounts: [\"222222222222\"], {role}");
    for (head, more, expected) in [
        (
            SETTINGS,
            "builder: {kms_key: key/1}".to_owned(),
            "CAT090 3:20 `key/1` is not a valid KMS key | use a key ID, `alias/NAME`, or the ARN of a key or alias",
        ),
        (
            SETTINGS,
            "builder: {kms_key: {us-east-1: alias/a}}".to_owned(),
            "CAT053 3:21 the Region `us-east-1` is not used here | use one of eu-west-1",
        ),
        (
            TWO,
            "builder: {kms_key: {us-east-1: alias/a}}".to_owned(),
            "CAT094 3:20 `kms_key` has no key for eu-west-1 | add `eu-west-1: KEY`",
        ),
        (
            SETTINGS,
            "builder: {kms_key: \"arn:aws:kms:eu-west-2:111122223333:alias/a\"}".to_owned(),
            "CAT094 3:20 the key is in eu-west-2, but it is used in eu-west-1 | use a key of this Region",
        ),
        (
            SETTINGS,
            "builder: {kms_key: \"arn:aws-cn:kms:eu-west-1:111122223333:alias/a\"}".to_owned(),
            "CAT055 3:20 the key is in the partition `aws-cn`, but eu-west-1 is in `aws` | credentials are valid in \
             one partition; use a catalog for each partition",
        ),
        (
            TWO,
            format!(
                "environments: [{{name: A, accounts: [\"222222222222\"], kms_key: \"{ARN}\"}}]"
            ),
            "CAT094 3:63 the key is in eu-west-1, but it is used in us-east-1 | set one key for each Region: \
             `kms_key: {eu-west-1: KEY, us-east-1: KEY}`",
        ),
        (
            TWO,
            format!("environments: [{{name: A, accounts: [\"222222222222\"], kms_key: {KEY}}}]"),
            "CAT094 3:63 the key `1234abcd-12ab-34cd-56ef-1234567890ab` exists in one Region only | set one key for \
             each Region: `kms_key: {eu-west-1: KEY, us-east-1: KEY}`",
        ),
        (
            SETTINGS,
            format!("builder: {{kms_key: alias/aws/ebs}}\nenvironments: [{{name: A, {foreign}}}]"),
            "CAT094 3:20 AMIs that are encrypted with `alias/aws/ebs` cannot be shared with other accounts | use a \
             customer managed key whose policy allows these accounts",
        ),
        (
            SETTINGS,
            format!(
                "builder: {{kms_key: {{eu-west-1: alias/aws/ebs}}}}\nenvironments: [{{name: A, {foreign}}}]"
            ),
            "CAT094 3:32 AMIs that are encrypted with `alias/aws/ebs` cannot be shared with other accounts | use a \
             customer managed key whose policy allows these accounts",
        ),
        (
            SETTINGS,
            "environments: [{name: A, role: \"arn:aws-cn:iam::222222222222:role/b\"}]".to_owned(),
            "CAT055 3:32 the role is in the partition `aws-cn`, but eu-west-1 is in `aws` | credentials are valid in \
             one partition; use a catalog for each partition",
        ),
        (
            "name: acme\nregions: [eu-west-1, us-gov-west-1, cn-north-1]\n",
            String::new(),
            "CAT055 2:22 the Region is in the partition `aws-us-gov`, but eu-west-1 is in `aws` | credentials are \
             valid in one partition; use a catalog for each partition",
        ),
    ] {
        assert_eq!(diagnostic(&format!("{head}{more}\n")), expected, "{more}");
    }
}

#[test]
fn managed_key_is_accepted_without_other_accounts() {
    for more in [
        "builder: {kms_key: alias/aws/ebs}\n",
        "builder: {kms_key: alias/aws/ebs}\nenvironments: [{name: A, accounts: [\"111122223333\"]}]\n",
        "environments: [{name: A, accounts: [\"222222222222\"], kms_key: alias/aws/ebs}]\n",
    ] {
        settings(&format!("{SETTINGS}{more}"));
    }
}
