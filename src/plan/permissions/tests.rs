//! Tests of the permissions: limits of IAM, least privilege, and their dependence on the catalog.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::policy::{Place, Statement, is_read, statements};
use super::subject::Subject;
use super::*;
use crate::catalog::Catalog;

const ROLES: &str = "role: arn:aws:iam::222222222222:role/team/bakeline";
const READ_ROLE: &str = "read_role: arn:aws:iam::222222222222:role/bakeline-read";

fn catalog(settings: &str) -> Catalog {
    let files = BTreeMap::from([
        (
            "bakeline.yaml".to_owned(),
            format!("name: acme\nregions: [eu-west-1, us-east-1]\n{settings}").into_bytes(),
        ),
        (
            "images/jdk.yaml".to_owned(),
            b"source: {ssm: /aws/service/debian/release/12/latest/amd64}\n".to_vec(),
        ),
    ]);
    let (catalog, findings) = crate::catalog::load(&files);
    catalog.unwrap_or_else(|| panic!("{findings:?}"))
}

/// Returns a catalog with an environment in other accounts.
fn catalog_with_accounts(environment: &str, settings: &str) -> Catalog {
    catalog(&format!(
        "environments: [{{name: Test}}, {{name: Prod, accounts: ['222222222222', '333333333333'], {environment}}}]\n{settings}"
    ))
}

fn home(catalog: &Catalog, purpose: Purpose) -> Vec<Statement> {
    statements(&Subject::home(catalog, None), Place::Home, &[purpose])
}

fn actions(statements: &[Statement]) -> BTreeSet<&'static str> {
    statements
        .iter()
        .flat_map(|s| s.actions.iter().copied())
        .collect()
}

#[test]
fn reading_role_changes_nothing() {
    let catalog = catalog_with_accounts(
        ROLES,
        "store: {s3: {bucket: acme-store}}\nbuilder: {instance_profile: acme}\n",
    );
    let reads = actions(&home(&catalog, Purpose::Read));
    assert!(reads.contains("ec2:DescribeImages") && reads.contains("s3:GetObject"));
    for action in reads {
        assert!(is_read(action) || action == "sts:AssumeRole", "{action}");
    }
    let policy: Value = serde_json::from_str(&session_policy()).expect("JSON");
    let listed = policy["Statement"][0]["Action"].as_array().expect("a list");
    assert!(listed.contains(&json!("ec2:DescribeImages")));
    for action in listed {
        assert!(is_read(action.as_str().expect("a text")), "{action}");
    }
    // STS API Reference, AssumeRole, parameter Policy.
    assert!(session_policy().len() <= 2048);
}

#[test]
fn removals_are_limited_to_resources_of_the_catalog() {
    let catalog = catalog_with_accounts(ROLES, "");
    let environments: Vec<_> = catalog.settings.environments.iter().collect();
    let mut all = statements(
        &Subject::environments(&catalog, None, &environments),
        Place::Accounts,
        &Purpose::ALL,
    );
    for purpose in Purpose::ALL {
        all.extend(home(&catalog, purpose));
    }
    let removes = |action: &str| {
        ["Delete", "Terminate", "Deregister", "Disable", "Stop"]
            .iter()
            .any(|verb| action.starts_with(&format!("ec2:{verb}")))
    };
    let mut seen = BTreeSet::new();
    for statement in &all {
        for action in statement.actions.iter().filter(|a| removes(a)) {
            seen.insert(*action);
            let tag = &statement.condition["StringEquals"]["aws:ResourceTag/bakeline:catalog"];
            assert_eq!(tag, "acme", "{action}");
        }
        for action in statement.actions.iter().filter(|a| a.starts_with("ec2:")) {
            if *action != "ec2:DescribeRegions" {
                let regions = &statement.condition["StringEquals"]["aws:RequestedRegion"];
                assert_eq!(*regions, json!(["eu-west-1", "us-east-1"]), "{action}");
            }
        }
        for action in statement
            .actions
            .iter()
            .filter(|a| a.ends_with("Parameter"))
        {
            let below = |r: &String| r.contains(":parameter/bakeline/acme") || r.contains("/aws/");
            assert!(statement.resources.iter().all(below), "{action}");
        }
    }
    assert!(seen.contains("ec2:DeregisterImage") && seen.contains("ec2:TerminateInstances"));
}

#[test]
fn permissions_depend_on_the_catalog() {
    let plain = catalog("environments: [{name: Test, regions: [eu-west-1]}]\n");
    let needs = |action: &str, catalog: &Catalog, purpose| {
        actions(&home(catalog, purpose)).contains(action)
    };
    for action in [
        "sts:AssumeRole",
        "s3:GetObject",
        "iam:PassRole",
        "ec2:CopyImage",
        "ec2:ModifySnapshotAttribute",
        "ssm:StartSession",
    ] {
        for purpose in Purpose::ALL {
            assert!(!needs(action, &plain, purpose), "{action}");
        }
    }
    let full = catalog_with_accounts(
        ROLES,
        "store: {s3: {bucket: b-1, prefix: team}}\nbuilder: {instance_profile: acme, access: ssm}\n",
    );
    for action in ["iam:PassRole", "ssm:StartSession", "ec2:CopyImage"] {
        assert!(needs(action, &full, Purpose::Build), "{action}");
    }
    assert!(needs(
        "ec2:ModifySnapshotAttribute",
        &full,
        Purpose::Promote
    ));
    let resources = |action: &str, purpose| -> Vec<String> {
        let all = home(&full, purpose).into_iter();
        all.filter(|s| s.actions.contains(action))
            .flat_map(|s| s.resources)
            .collect()
    };
    assert_eq!(
        resources("s3:GetObject", Purpose::Read),
        ["arn:aws:s3:::b-1/team/acme/*"]
    );
    assert_eq!(
        resources("iam:PassRole", Purpose::Build),
        ["arn:aws:iam::*:role/acme"]
    );
    assert_eq!(
        resources("sts:AssumeRole", Purpose::Read),
        [
            "arn:aws:iam::222222222222:role/team/bakeline",
            "arn:aws:iam::333333333333:role/team/bakeline"
        ]
    );
    assert!(resources("ssm:GetParameter", Purpose::Build).contains(
        &"arn:aws:ssm:eu-west-1::parameter/aws/service/debian/release/12/latest/amd64".into()
    ));
}

#[test]
fn environments_have_a_changing_and_a_reading_role() {
    let catalog = catalog_with_accounts(&format!("{ROLES}, {READ_ROLE}, external_id: acme/7"), "");
    let roles = role_documents(&catalog, &Purpose::ALL, None);
    let names: Vec<&str> = roles.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "bakeline-acme-read",
            "bakeline-acme-build",
            "bakeline-acme-promote",
            "bakeline-acme-prune",
            "bakeline",
            "bakeline-read"
        ]
    );
    assert_eq!(roles[4].path, "/team/");
    assert_eq!(
        roles[4].purposes,
        [Purpose::Build, Purpose::Promote, Purpose::Prune]
    );
    assert_eq!(roles[5].purposes, [Purpose::Read]);
    assert_eq!(roles[5].accounts, ["222222222222", "333333333333"]);
    // The home account has no role of an environment.
    let known = role_documents(&catalog, &Purpose::ALL, Some("222222222222"));
    assert_eq!(known[5].accounts, ["333333333333"]);
    // Without a role for reads, the changing role serves them too.
    let shared = role_documents(&catalog_with_accounts(ROLES, ""), &Purpose::ALL, None);
    assert_eq!(shared[4].purposes, Purpose::ALL);
}

#[test]
fn trust_is_limited_to_branch_and_home_roles() {
    let catalog = catalog_with_accounts(&format!("{ROLES}, external_id: acme/7"), "");
    let roles = role_documents(&catalog, &Purpose::ALL, None);
    let gitlab = GitLab {
        host: "gitlab.com".to_owned(),
        project: "acme/images".to_owned(),
        branch: "main".to_owned(),
        audience: "https://gitlab.com".to_owned(),
    };
    let trust = Trust {
        home_account: "111111111111",
        gitlab: Some(&gitlab),
    };
    let statement = |role| trust.document(&catalog, role)["Statement"][0].clone();
    let prune = statement(&roles[3]);
    assert_eq!(
        prune["Condition"],
        json!({ "StringEquals": {
            "gitlab.com:aud": "https://gitlab.com",
            "gitlab.com:sub": "project_path:acme/images:ref_type:branch:ref:main",
        }})
    );
    let read = statement(&roles[0]);
    assert_eq!(
        read["Condition"]["StringLike"]["gitlab.com:sub"],
        "project_path:acme/images:ref_type:branch:ref:*"
    );
    let environment = statement(&roles[4]);
    assert_eq!(
        environment["Principal"]["AWS"],
        "arn:aws:iam::111111111111:root"
    );
    assert_eq!(
        environment["Condition"]["StringEquals"]["sts:ExternalId"],
        json!(["acme/7"])
    );
    let homes = environment["Condition"]["ArnEquals"]["aws:PrincipalArn"].clone();
    assert_eq!(
        homes[0],
        "arn:aws:iam::111111111111:role/bakeline-acme-read"
    );
}

#[test]
fn policies_stay_below_the_limits_of_iam() {
    let accounts: Vec<String> = (0..120).map(|n| format!("'{:012}'", 200 + n)).collect();
    let path = "a".repeat(200);
    let catalog = catalog(&format!(
        "environments: [{{name: Prod, accounts: [{}], role: 'arn:aws:iam::222222222222:role/{path}/bakeline'}}]\n",
        accounts.join(", ")
    ));
    for purpose in Purpose::ALL {
        let statements = home(&catalog, purpose);
        let expected = actions(&statements).len();
        let all = policies(statements);
        let mut found = BTreeSet::new();
        let mut roles = BTreeSet::new();
        for policy in &all {
            assert!(policy.to_string().len() <= MAX_POLICY);
            for statement in policy["Statement"].as_array().expect("statements") {
                let actions = statement["Action"].as_array().expect("actions");
                found.extend(actions.iter().map(ToString::to_string));
                if actions.contains(&json!("sts:AssumeRole")) {
                    let listed = statement["Resource"].as_array().expect("resources");
                    roles.extend(listed.iter().map(ToString::to_string));
                }
            }
        }
        assert_eq!(found.len(), expected);
        assert_eq!(roles.len(), 120);
        // IAM attaches ten managed policies to a role.
        assert!(all.len() <= 10, "{}", all.len());
    }
}

#[test]
fn other_partitions_have_their_own_arns() {
    let files = BTreeMap::from([(
        "bakeline.yaml".to_owned(),
        b"name: acme\nregions: [cn-north-1]\nbuilder: {instance_profile: acme}\n".to_vec(),
    )]);
    let catalog = crate::catalog::load(&files).0.expect("a catalog");
    for statement in home(&catalog, Purpose::Build) {
        for resource in &statement.resources {
            assert!(
                resource == "*" || resource.starts_with("arn:aws-cn:"),
                "{resource}"
            );
        }
        if statement.actions.contains("iam:PassRole") {
            let service = &statement.condition["StringEquals"]["iam:PassedToService"];
            assert_eq!(service, "ec2.amazonaws.com.cn");
        }
    }
}

#[test]
fn template_creates_each_role_in_its_accounts() {
    let accounts: Vec<String> = (0..25).map(|n| format!("'{:012}'", 200 + n)).collect();
    let catalog = catalog(&format!(
        "environments: [{{name: Prod, accounts: [{}], {ROLES}, {READ_ROLE}}}]\n",
        accounts.join(", ")
    ));
    let stack = template(&catalog, &Purpose::ALL, Some("111111111111"), None);
    let resources = stack["Resources"].as_object().expect("resources");
    for id in ["HomeRead", "HomeBuild", "Environment1", "Environment2"] {
        let role = &resources[&format!("{id}Role")];
        assert_eq!(role["Type"], "AWS::IAM::Role", "{id}");
        let condition = role["Condition"].as_str().expect("a condition");
        assert!(stack["Conditions"].get(condition).is_some(), "{id}");
        let policy = &resources[&format!("{id}Policy1")];
        assert_eq!(policy["Condition"], condition);
        assert_eq!(policy["Properties"]["Roles"][0]["Ref"], format!("{id}Role"));
    }
    let condition = &stack["Conditions"]["HasEnvironment1"]["Fn::And"][1]["Fn::Or"];
    let levels = condition.as_array().expect("three parts of up to ten");
    assert_eq!(levels.len(), 3);
    assert_eq!(levels[2]["Fn::Or"].as_array().map(Vec::len), Some(5));
}
