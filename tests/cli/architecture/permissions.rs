//! Tests that the table of permissions has exactly the calls that the sources of the AWS adapter
//! make.

use std::collections::BTreeSet;

use bakeline::plan::permissions::{Caller, TABLE};
use regex::Regex;

use super::{all_files, root};

/// Action that needs no permission (STS API Reference, GetCallerIdentity).
const ALWAYS_ALLOWED: &str = "sts:GetCallerIdentity";

/// Returns the actions of `Caller::Sdk` in the table, and the one that needs no permission.
fn listed() -> BTreeSet<String> {
    let rows = TABLE.iter().filter(|p| p.caller == Caller::Sdk);
    let actions = rows.map(|p| p.action).chain([ALWAYS_ALLOWED]);
    actions.map(str::to_owned).collect()
}

fn sources() -> String {
    let mut files = BTreeSet::new();
    all_files(&root().join("src/adapters/aws"), &mut files);
    let read = |path| std::fs::read_to_string(path).expect("a source file");
    files.iter().map(read).collect()
}

/// Returns the actions of the calls of SDK clients, such as `.ec2.describe_images()`.
fn called(sources: &str) -> BTreeSet<String> {
    let call =
        Regex::new(r"\.\s*(ec2|kms|ssm|sts|autoscaling)\s*\.\s*([a-z_]+)\(").expect("a pattern");
    let action = |found: regex::Captures<'_>| {
        let words = found[2].split('_');
        let name: String = words
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        format!("{}:{name}", &found[1])
    };
    call.captures_iter(sources).map(action).collect()
}

#[test]
fn every_sdk_call_is_in_the_table() {
    let called = called(&sources());
    assert!(called.contains("ec2:DescribeImages") && called.len() > 35);
    assert_eq!(called, listed());
}

/// A client in a variable hides its calls from the first test, but not the names in their errors.
#[test]
fn every_action_of_an_error_is_in_the_table() {
    let name = Regex::new(r#"cloud_error\(\s*"([A-Za-z]+)""#).expect("a pattern");
    let sources = sources();
    let reported: BTreeSet<&str> = name
        .captures_iter(&sources)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    let listed = listed();
    let names: BTreeSet<&str> = listed
        .iter()
        .filter_map(|action| Some(action.split_once(':')?.1))
        .collect();
    assert_eq!(reported, names);
}
