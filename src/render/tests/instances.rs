//! Tests that the Packer template has the instance settings and volumes of an image.

use serde_json::Value;

use super::{CATALOG, render_files, run_values};
use crate::catalog::{Image, InstanceSettings, Volume, VolumeType};
use crate::model::ImageName;
use crate::render::packer::{RENDERED, RunValues, files};

#[test]
fn packer_template_has_instance_settings_of_the_image() {
    let source_of = |image: &Image| {
        let placements = image
            .builder(&CATALOG.settings)
            .placements(image.name.as_str(), image.arch);
        let values = RunValues {
            placement: placements[0].clone(),
            ..run_values("key")
        };
        let rendered = files(&CATALOG, image, &values).expect("it renders");
        let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
        packer["source"]["amazon-ebs"]["jdk"].clone()
    };
    let mut image = CATALOG.images[&ImageName::from("jdk")].clone();
    let general = source_of(&image);
    assert_eq!(general["ssh_username"], "admin");
    assert!(general.get("ssh_pty").is_none() && general.get("pause_before_connecting").is_none());
    image.instance = InstanceSettings {
        instance_types: vec!["m7i.large".to_owned(), "m6i.large".to_owned()],
        subnets: vec!["subnet-00000002".to_owned()],
        instance_profile: Some("build".to_owned()),
        public_address: Some(true),
        imds: None,
        login_user: Some("rocky".to_owned()),
        ssh_pty: Some(true),
        boot_wait: Some(jiff::SignedDuration::from_secs(90)),
    };
    let own = source_of(&image);
    for (key, expected) in [
        ("instance_type", "m7i.large"),
        ("subnet_id", "subnet-00000002"),
        ("iam_instance_profile", "build"),
        ("ssh_interface", "public_ip"),
        ("ssh_username", "rocky"),
        ("pause_before_connecting", "90s"),
    ] {
        assert_eq!(own[key], expected, "{key}");
    }
    assert_eq!(own["ssh_pty"], true);
}

#[test]
fn vpc_endpoint_is_rendered_as_an_endpoint_of_aws() {
    let image = &CATALOG.images[&ImageName::from("jdk")];
    let source_of = |endpoint: Option<&str>| {
        let mut values = run_values("key");
        values.endpoint = endpoint.map(str::to_owned);
        let rendered = files(&CATALOG, image, &values).expect("a build");
        let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
        packer["source"]["amazon-ebs"]["jdk"].clone()
    };
    let skips = [
        "skip_credential_validation",
        "skip_metadata_api_check",
        "skip_region_validation",
    ];
    let vpc = "https://vpce-0a1b-x.ec2.eu-west-1.vpce.amazonaws.com";
    for (endpoint, is_local) in [
        (Some("http://127.0.0.1:4566"), true),
        (Some(vpc), false),
        (None, false),
    ] {
        let source = source_of(endpoint);
        assert_eq!(
            source.get("custom_endpoint_ec2").and_then(Value::as_str),
            endpoint
        );
        for skip in skips {
            assert_eq!(source.get(skip).is_some(), is_local, "{endpoint:?} {skip}");
        }
    }
}

#[test]
fn packer_template_has_volumes_of_the_image() {
    let volumes_of = |image: &Image| {
        let rendered = render_files(&CATALOG, image);
        let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
        packer["source"]["amazon-ebs"]["jdk"]["launch_block_device_mappings"].clone()
    };
    let mut image = CATALOG.images[&ImageName::from("jdk")].clone();
    assert_eq!(volumes_of(&image), Value::Null);
    image.volumes = vec![Volume {
        size_gib: Some(20),
        ..Volume::default()
    }];
    let root_size = serde_json::json!([
        {"device_name": "key", "volume_size": 20, "delete_on_termination": true}
    ]);
    assert_eq!(volumes_of(&image), root_size);
    let volume = |device: Option<&str>, size_gib, kind, iops, throughput| Volume {
        device: device.map(str::to_owned),
        size_gib,
        kind: Some(kind),
        iops,
        throughput,
    };
    image.volumes = vec![
        volume(
            Some("/dev/sdf"),
            Some(100),
            VolumeType::Gp3,
            None,
            Some(250),
        ),
        volume(None, Some(20), VolumeType::Io2, Some(6000), None),
    ];
    let expected = serde_json::json!([
        {"device_name": "/dev/sdf", "volume_size": 100, "volume_type": "gp3", "throughput": 250,
         "delete_on_termination": true},
        {"device_name": "key", "volume_size": 20, "volume_type": "io2", "iops": 6000,
         "delete_on_termination": true},
    ]);
    assert_eq!(volumes_of(&image), expected);
}

#[test]
fn packer_template_encrypts_every_volume_with_the_key() {
    let mut image = CATALOG.images[&ImageName::from("jdk")].clone();
    image.volumes = vec![Volume {
        device: Some("/dev/sdf".to_owned()),
        size_gib: Some(100),
        ..Volume::default()
    }];
    let values = RunValues {
        root_device: "/dev/xvda".to_owned(),
        other_devices: vec!["/dev/sdf".to_owned(), "/dev/sdg".to_owned()],
        kms_key: Some("alias/images".to_owned()),
        ..run_values("key")
    };
    let rendered = files(&CATALOG, &image, &values).expect("it renders");
    let packer: Value = serde_json::from_slice(&rendered[RENDERED]).expect("JSON");
    let volume = |device: &str| {
        serde_json::json!({"device_name": device, "encrypted": true, "kms_key_id": "alias/images",
            "delete_on_termination": true})
    };
    let mut first = volume("/dev/sdf");
    first["volume_size"] = 100.into();
    assert_eq!(
        packer["source"]["amazon-ebs"]["jdk"]["launch_block_device_mappings"],
        serde_json::json!([first, volume("/dev/xvda"), volume("/dev/sdg")])
    );
}
