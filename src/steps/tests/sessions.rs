//! Tests the connections of a catalog with `access: ssm`.

use tokio_util::sync::CancellationToken;

use super::{TestEnv, catalog_with};
use crate::adapters::fake::LocalShell;
use crate::checks::{Gate, Phase};
use crate::model::Region;
use crate::steps::check::controls::{CheckRequest, check_build_instance};

fn ssm_setup() -> TestEnv {
    let settings = "name: acme\nregions: [eu-west-1]\n\
                    builder: {access: ssm, instance_profile: build}\n";
    TestEnv::new().next_run(catalog_with(settings, &[]), "2026-11-22T12:00:00Z")
}

#[tokio::test]
async fn boot_checks_open_a_session_in_the_region_of_the_catalog() {
    let setup = ssm_setup();
    let outcome = setup.release("run-1").await;
    assert!(outcome.kind().is_none(), "{outcome:?}");
    let targets = setup.shell.targets.lock().expect("no panic").clone();
    assert_eq!(targets.len(), 4);
    for target in targets {
        assert!(target.host.starts_with("i-"), "{target:?}");
        assert_eq!(target.ssm, Some(Region::from("eu-west-1")));
    }
}

#[tokio::test]
async fn build_starts_when_ec2_lists_its_group() {
    // Without SSH rules, no earlier call waits for the group that Packer looks up.
    for reads in [1, 3, 8] {
        let setup = ssm_setup();
        setup.cloud.state(|state| state.visible_after = reads);
        let outcome = setup.release("run-1").await;
        assert!(outcome.kind().is_none(), "{reads}: {outcome:?}");
        setup.assert_clean("release through sessions");
    }
}

#[tokio::test]
async fn build_checks_use_the_session_that_packer_opened() {
    let shell = LocalShell::default();
    *shell.deaf.lock().expect("no panic") = true;
    let request = CheckRequest {
        image: "base".into(),
        phase: Phase::Build,
        controls: Vec::new(),
        user: "admin".to_owned(),
        key: "/run/key".into(),
        known_hosts: "/run/known_hosts".into(),
        evidence: "/run/evidence".into(),
        gate: Gate::default(),
    };
    let cancel = CancellationToken::new();
    let refused = check_build_instance(&shell, &request, "localhost", 8123, &cancel).await;
    assert!(refused.is_err(), "the shell refuses connections");
    let targets = shell.targets.lock().expect("no panic").clone();
    let [target] = targets.as_slice() else {
        panic!("{targets:?}");
    };
    assert_eq!(
        (target.host.as_str(), target.port),
        ("localhost", Some(8123))
    );
    assert_eq!(target.ssm, None, "no second session");
}
