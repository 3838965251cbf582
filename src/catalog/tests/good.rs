//! Tests of valid catalogs.

use super::load_valid;
use jiff::SignedDuration;

use crate::catalog::address::{AddressRange, RangeWidth};
use crate::catalog::{
    Access, Brakes, Bucket, BucketEncryption, Distribution, Environment, Gates, Notifier,
    OnFailure, Origin, Retention, Source, SourceFilter, StoreSettings, defaults,
};
use crate::model::{Arch, EnvName, ImageName, Region};
use crate::provision::Provision;

#[test]
fn smallest_catalog_gets_all_defaults() {
    let catalog = load_valid(&[]);
    let settings = &catalog.settings;
    assert_eq!(settings.name.as_str(), "acme");
    assert_eq!(settings.home().as_str(), "eu-west-1");
    assert_eq!(settings.default_environment, None);
    assert_eq!(
        settings.environments,
        defaults::environments(&[Region::from("eu-west-1")])
    );
    assert_eq!(settings.builder, defaults::builder());
    assert_eq!(settings.environment_key, "Environment");
    assert_eq!(
        (&settings.retention, settings.on_failure),
        (&defaults::RETENTION, OnFailure::Stop)
    );
    assert_eq!(settings.notifiers, []);
    let image = &catalog.images[&ImageName::from("base")];
    assert_eq!(
        image.origin,
        Origin::Source(Source::Filter(SourceFilter {
            owner: "amazon".into(),
            name: "debian-12-*".into(),
            ..SourceFilter::default()
        }))
    );
    assert_eq!(
        (image.arch, image.environment.as_str(), image.file.as_str()),
        (Arch::X86_64, "Prod", "images/base.yaml")
    );
    assert_eq!(
        catalog.files.keys().collect::<Vec<_>>(),
        ["templates/packer/build.pkr.hcl"]
    );
}

#[test]
fn default_access_is_private() {
    let Access::Cidrs(cidrs) = defaults::builder().access else {
        panic!("cidrs")
    };
    for cidr in cidrs {
        let range = AddressRange::parse(&cidr).expect("a range");
        assert_eq!(range.width(), RangeWidth::Limited, "{cidr}");
    }
}

#[test]
fn retention_settings_are_read() {
    let catalog = load_valid(&[("bakeline.yaml", EVERY_SETTING)]);
    let settings = catalog.settings;
    assert_eq!(
        (&settings.brakes, settings.lease),
        (
            &Brakes {
                most: 7,
                percent: 20
            },
            SignedDuration::from_mins(90)
        )
    );
    let region = Region::from("eu-west-1");
    assert_eq!(
        settings.store,
        StoreSettings::S3(Bucket {
            name: "my-store".into(),
            prefix: "teams/platform".into(),
            region,
            encryption: Some(BucketEncryption::Kms(Some("alias/store".into()))),
            endpoint: Some("https://s3.example.com:9000".into()),
            checksum: true,
        })
    );
    let base = &catalog.images[&ImageName::from("base")];
    assert_eq!(
        (base.max_age, base.rebase_after),
        (Some(SignedDuration::from_hours(720)), 5)
    );
}

/// Settings without any default.
const EVERY_SETTING: &str = r#"# yaml-language-server: $schema=../schema/bakeline.schema.json
name: acme
regions: [eu-west-1, eu-central-1]
default_environment: Live
environments:
  - name: Try
    tag_value: Test
    regions: [eu-west-1]
    retention: {keep: 9}
  - name: Live
    accounts: ["123456789012"]
    role: arn:aws:iam::123456789012:role/bakeline
    read_role: arn:aws:iam::123456789012:role/bakeline-read
    external_id: acme/7
    gates: {soak: 1d12h, parent: false}
builder:
  instance_type: m7g.large
  subnet: subnet-0123456789abcdef0
  instance_profile: build
  public_address: true
  tags: {cost-center: "42"}
  access: {cidrs: [203.0.113.0/24]}
tag_keys: {environment: Stage}
retention: {keep: 5, days: 14, reserve: 4, disable_after: 1d}
brakes: {most: 7, percent: 20}
max_age: 30d
rebase_after: 5
store: {s3: {bucket: my-store, prefix: teams/platform, sse: "aws:kms", kms_key: alias/store, endpoint: "https://s3.example.com:9000", checksum: sha256}}
lease: 1h30m
on_failure: continue
notifiers:
  - slack: {webhook_env: BAKELINE_SLACK_WEBHOOK_URL}
"#;

#[test]
fn all_settings_are_read() {
    let settings = load_valid(&[("bakeline.yaml", EVERY_SETTING)]).settings;
    let regions = ["eu-west-1", "eu-central-1"].map(Region::from).to_vec();
    assert_eq!(settings.regions, regions);
    assert_eq!(settings.default_environment, Some(EnvName::from("Live")));
    let general = Retention {
        keep: 5,
        days: 14,
        reserve: 4,
        disable_after: SignedDuration::from_hours(24),
        deregister_after: SignedDuration::from_hours(7 * 24),
    };
    let environments = [
        Environment {
            distribution: Distribution::Copy,
            name: "Try".into(),
            tag_value: "Test".into(),
            regions: regions[..1].to_vec(),
            accounts: vec![],
            role: None,
            kms_keys: std::collections::BTreeMap::new(),
            launch: Some(crate::catalog::TrialLaunch::default()),
            read_role: None,
            external_id: None,
            retention: Retention {
                keep: 9,
                ..general.clone()
            },
            gates: defaults::GATES,
        },
        Environment {
            distribution: Distribution::Copy,
            name: "Live".into(),
            tag_value: "Live".into(),
            regions,
            accounts: vec!["123456789012".into()],
            role: Some("arn:aws:iam::123456789012:role/bakeline".into()),
            kms_keys: std::collections::BTreeMap::new(),
            launch: Some(crate::catalog::TrialLaunch::default()),
            read_role: Some("arn:aws:iam::123456789012:role/bakeline-read".into()),
            external_id: Some("acme/7".into()),
            retention: Retention {
                keep: 0,
                ..general.clone()
            },
            gates: Gates {
                soak: SignedDuration::from_hours(36),
                parent: false,
            },
        },
    ];
    assert_eq!(settings.environments, environments);
    let builder = settings.builder;
    assert_eq!(builder.instance_type(Arch::Arm64), "m7g.large");
    assert_eq!(builder.instance_type(Arch::X86_64), "t3.small");
    assert_eq!(builder.subnets, ["subnet-0123456789abcdef0"]);
    assert_eq!(builder.instance_profile.as_deref(), Some("build"));
    assert!(builder.public_address);
    assert_eq!(builder.tags["cost-center"], "42");
    assert_eq!(builder.access, Access::Cidrs(vec!["203.0.113.0/24".into()]));
    assert_eq!(
        (settings.environment_key.as_str(), &settings.retention),
        ("Stage", &general)
    );
    assert_eq!(settings.on_failure, OnFailure::Continue);
    assert_eq!(
        settings.notifiers,
        [Notifier::Slack {
            webhook_env: "BAKELINE_SLACK_WEBHOOK_URL".into()
        }]
    );
    let ssm = load_valid(&[(
        "bakeline.yaml",
        "name: a\nregions: [eu-west-1]\nbuilder: {access: ssm, instance_profile: build}\n",
    )]);
    assert_eq!(ssm.settings.builder.access, Access::Ssm);
}

#[test]
fn all_image_keys_are_read() {
    let web = r#"name: web
description: A web server
parent: mid
environment: Test
scripts: [files/deep/run.sh]
files:
  - {source: files/motd, destination: /etc/motd, owner: "root:adm", mode: "644"}
  - {source: files/motd, destination: /etc/issue}
packages: [nginx, "curl=7.88.1-10"]
profiles: [web]
checks:
  - {service: nginx}
tags: {Team: "Ünïcode & sons"}
disk_gib: 20
"#;
    let base = "source: {ssm: /aws/x}\nplatform: debian\narch: arm64\n";
    let mid = "parent: base\nenvironment: Test\n";
    let catalog = load_valid(&[
        ("images/web.yaml", web),
        ("images/base.yaml", base),
        ("images/mid.yaml", mid),
    ]);
    let image = &catalog.images[&ImageName::from("web")];
    assert_eq!(image.description, "A web server");
    assert_eq!(image.parent(), Some(&ImageName::from("mid")));
    assert_eq!(image.arch, Arch::Arm64, "inherited");
    let Provision::Packages(packages) = &image.provision[0] else {
        panic!("packages first")
    };
    assert_eq!(packages.names, ["nginx", "curl=7.88.1-10"]);
    let Provision::File(motd) = &image.provision[1] else {
        panic!("then files")
    };
    assert_eq!(
        (motd.owner.as_str(), motd.mode.as_str()),
        ("root:adm", "0644")
    );
    let Provision::File(issue) = &image.provision[2] else {
        panic!("in their order")
    };
    assert_eq!(
        (issue.owner.as_str(), issue.mode.as_str()),
        ("root:root", "0644")
    );
    let Provision::Script(script) = &image.provision[3] else {
        panic!("then scripts")
    };
    assert_eq!(script.path, "files/deep/run.sh");
    assert_eq!(image.controls.len(), 2, "the profile's and its own");
    assert_eq!(image.tags["Team"], "Ünïcode & sons");
    assert_eq!(image.volumes[0].size_gib, Some(20));
    assert_eq!(catalog.files["files/deep/run.sh"], b"#!/bin/sh\n");
    assert_eq!(catalog.files["files/motd"], b"hello\n");
    let order: Vec<&str> = catalog
        .parents_first()
        .iter()
        .map(|i| i.name.as_str())
        .collect();
    assert_eq!(order, ["base", "mid", "web"]);
}

#[test]
fn child_inherits_highest_environment() {
    let catalog = load_valid(&[
        ("images/base.yaml", "source: {ssm: /a}\nenvironment: Test\n"),
        ("images/kid.yaml", "parent: base\n"),
    ]);
    assert_eq!(
        catalog.images[&ImageName::from("kid")].environment.as_str(),
        "Test"
    );
}

#[test]
fn inherited_profile_is_added_once() {
    let catalog = load_valid(&[
        ("images/base.yaml", "source: {ssm: /a}\nprofiles: [web]\n"),
        ("images/kid.yaml", "parent: base\nprofiles: [web]\n"),
    ]);
    assert_eq!(catalog.controls(&ImageName::from("kid")).len(), 1);
}

#[test]
fn anchors_and_aliases_are_supported() {
    let text = "name: acme\nregions: &r [eu-west-1]\nenvironments:\n  - {name: A, regions: *r}\n  - {name: B}\n";
    assert_eq!(
        load_valid(&[("bakeline.yaml", text)])
            .settings
            .environments
            .len(),
        2
    );
}
