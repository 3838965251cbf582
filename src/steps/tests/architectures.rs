//! Tests releases of images with several architectures.

use std::collections::BTreeMap;

use super::{TestEnv, catalog};
use crate::engine::outcome::Outcome;
use crate::lifecycle::tags;
use crate::model::{Ami, Arch, EnvName, ImageName, Inventory, Version};
use crate::plan::step::PlanVerdict;
use crate::plan::{Plan, doctor, promote, prune, release, revoke};

/// The base image of [`super::IMAGES`] for both architectures.
const BASE: &str = "arch: [x86_64, arm64]\n\
                    source: {owner: \"136693071363\", name: debian-12-*}\n\
                    checks:\n  - {file: /etc/passwd}\n";

/// Returns the inventory with a vendor AMI for each architecture.
fn inventory(setup: &TestEnv) -> Inventory {
    let mut inventory = setup.inventory();
    let vendor = inventory.sources[&ImageName::from("base")].clone();
    for arch in [Arch::X86_64, Arch::Arm64] {
        let ami = vendor.clone().map(|ami| Ami {
            arch: arch.to_string(),
            ..ami
        });
        let name = ImageName::with_arch("base", arch);
        inventory.sources.insert(name, ami);
    }
    inventory
}

fn release_plan(setup: &TestEnv, run: &str) -> Plan {
    let request = release::ReleaseRequest {
        images: Vec::new(),
        force: false,
        run: run.into(),
    };
    release::plan_release(&setup.catalog, &inventory(setup), &request)
}

/// Returns the verdicts of a plan by image.
fn verdicts(plan: &Plan) -> BTreeMap<&str, PlanVerdict> {
    let decisions = plan.decisions.iter();
    decisions.map(|d| (d.image.as_str(), d.verdict)).collect()
}

/// Returns `image/arch state` of the tags of all AMIs, and the names of all pointers.
fn published(setup: &TestEnv) -> (Vec<String>, Vec<String>) {
    setup.cloud.state(|state| {
        let own = state.own();
        let of_catalog = own.iter().filter(|ami| ami.tags.contains_key(tags::RECIPE));
        let describe = |ami: &Ami| {
            let tag = |key: &str| ami.tags[key].clone();
            let (image, arch) = (tag(tags::IMAGE), tag(tags::ARCH));
            assert!(ami.name.starts_with(&format!("acme/{image}/{arch}/")));
            format!("{image}/{arch} {}", tag(tags::STATE))
        };
        let mut amis: Vec<String> = of_catalog.map(describe).collect();
        amis.sort();
        (amis, state.parameters.keys().cloned().collect())
    })
}

fn next_day(setup: &TestEnv) -> TestEnv {
    setup.next_run(
        std::sync::Arc::clone(&setup.catalog),
        "2026-11-23T12:00:00Z",
    )
}

async fn execute(setup: &TestEnv, plan: &Plan) -> Outcome {
    let outcome = setup.execute(plan).await;
    assert_eq!(outcome.kind(), None, "{outcome:?}");
    setup.assert_clean("after the run");
    outcome
}

#[tokio::test]
async fn architectures_share_a_published_name() {
    let setup = TestEnv::new().next_run(catalog(&[("base", BASE)]), "2026-11-22T12:00:00Z");
    let plan = release_plan(&setup, "r1");
    assert_eq!(plan.decisions.len(), 8, "{:?}", plan.decisions);
    execute(&setup, &plan).await;
    let (amis, pointers) = published(&setup);
    let (mut expected, mut expected_pointers) = (Vec::new(), Vec::new());
    for image in ["a", "b", "base", "z"] {
        for arch in ["arm64", "x86_64"] {
            expected.push(format!("{image}/{arch} released"));
            expected_pointers.push(format!("/bakeline/acme/{image}/Test/{arch}"));
        }
    }
    assert_eq!(amis, expected);
    assert_eq!(pointers, expected_pointers);
    let again = release_plan(&setup, "r2");
    let kept = |verdict: &PlanVerdict| *verdict == PlanVerdict::Keep;
    assert!(verdicts(&again).values().all(kept), "{again:?}");

    let setup = next_day(&setup);
    let both = [Arch::X86_64, Arch::Arm64].map(|arch| ImageName::with_arch("a", arch));
    let bases = both
        .clone()
        .map(|name| ImageName::with_arch("base", name.arch().expect("set")));
    let named: Vec<ImageName> = bases.into_iter().chain(both).collect();
    let prod = EnvName::from("Prod");
    let promotion = promote::plan_promotion(
        &setup.catalog,
        &inventory(&setup),
        &named,
        &prod,
        "p1".into(),
    );
    execute(&setup, &promotion).await;
    for arch in ["arm64", "x86_64"] {
        let pointer = format!("/bakeline/acme/a/Prod/{arch}");
        let ami = setup.cloud.state(|state| {
            let id = state.parameters[&pointer].as_str().into();
            state.images[&id].tags[tags::ARCH].clone()
        });
        assert_eq!(ami, arch);
    }
}

#[tokio::test]
async fn second_architecture_keeps_the_versions_of_the_first() {
    let first = TestEnv::new();
    execute(&first, &first.release_plan("r1", false)).await;
    let setup = first.next_run(catalog(&[("base", BASE)]), "2026-11-23T12:00:00Z");
    let plan = release_plan(&setup, "r2");
    let verdicts = verdicts(&plan);
    // The base has a different recipe only if it uses the architecture.
    for image in ["a", "b", "base", "z"] {
        let verdict = |arch: &str| verdicts[format!("{image}.{arch}").as_str()];
        assert_eq!(verdict("x86_64"), PlanVerdict::Keep, "{image}: {plan:?}");
        assert_eq!(verdict("arm64"), PlanVerdict::Build, "{image}");
    }
    let options = prune::PruneOptions {
        keep: Some(1),
        shared_ok: false,
    };
    let (decisions, _) =
        prune::plan_prune(&setup.catalog, &inventory(&setup), &options, "r3".into());
    assert!(
        decisions.iter().all(|d| d.due_stages.is_empty()),
        "{decisions:?}"
    );
}

#[tokio::test]
async fn revocation_affects_one_architecture_and_its_descendants() {
    let setup = TestEnv::new().next_run(catalog(&[("base", BASE)]), "2026-11-22T12:00:00Z");
    execute(&setup, &release_plan(&setup, "r1")).await;
    let setup = next_day(&setup);
    let version = Version {
        day: 20_261_122,
        number: 1,
    };
    let image = ImageName::from("a.arm64");
    let plan = revoke::plan_revocation(
        &setup.catalog,
        &inventory(&setup),
        &image,
        version,
        "v1".into(),
    );
    execute(&setup, &plan).await;
    let revoked: Vec<String> = published(&setup)
        .0
        .into_iter()
        .filter(|line| line.ends_with("revoked"))
        .collect();
    assert_eq!(revoked, ["a/arm64 revoked", "b/arm64 revoked"]);
}

const VERSION: Version = Version {
    day: 20_261_122,
    number: 1,
};

/// Releases all images for both architectures, and then builds the child `a` for arm64 only.
async fn narrowed() -> TestEnv {
    let setup = TestEnv::new().next_run(catalog(&[("base", BASE)]), "2026-11-22T12:00:00Z");
    execute(&setup, &release_plan(&setup, "r1")).await;
    let child = "parent: base\narch: arm64\npackages: [curl]\n";
    let files = catalog(&[("base", BASE), ("a", child)]);
    setup.next_run(files, "2026-11-23T12:00:00Z")
}

/// Both architectures have the same versions, so a relation without the architecture would revoke
/// the wrong one.
#[tokio::test]
async fn revocation_spares_the_other_architecture_of_a_narrowed_image() {
    let setup = narrowed().await;
    let image = ImageName::from("base.x86_64");
    let plan = revoke::plan_revocation(
        &setup.catalog,
        &inventory(&setup),
        &image,
        VERSION,
        "v1".into(),
    );
    execute(&setup, &plan).await;
    let (amis, pointers) = published(&setup);
    for image in ["a", "b", "base", "z"] {
        assert!(
            amis.contains(&format!("{image}/x86_64 revoked")),
            "{amis:?}"
        );
        assert!(
            amis.contains(&format!("{image}/arm64 released")),
            "{amis:?}"
        );
        assert!(pointers.contains(&format!("/bakeline/acme/{image}/Test/arm64")));
    }
    let next = next_day(&setup);
    let (_, repairs) = doctor::plan_repairs(&next.catalog, &inventory(&next), "d1".into());
    assert!(repairs.steps.is_empty(), "{repairs:?}");
}

#[tokio::test]
async fn removed_architecture_can_be_retired() {
    let setup = narrowed().await;
    let options = prune::PruneOptions {
        keep: None,
        shared_ok: false,
    };
    let removed = ImageName::from("b.x86_64");
    assert_eq!(prune::retire_objection(&setup.catalog, &removed), None);
    assert!(prune::retire_objection(&setup.catalog, &ImageName::from("b")).is_some());
    let facts = inventory(&setup);
    let (decisions, plan) =
        prune::plan_retirement(&setup.catalog, &facts, &removed, &options, "t1".into());
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    execute(&setup, &plan).await;
    let (_, pointers) = published(&setup);
    assert!(!pointers.contains(&"/bakeline/acme/b/Test/x86_64".to_owned()));
    assert!(pointers.contains(&"/bakeline/acme/b/Test/arm64".to_owned()));
}

/// The name of an image that left the catalog means all its architectures.
#[tokio::test]
async fn revocation_of_a_removed_image_affects_all_architectures() {
    let setup = narrowed().await;
    let mut left = (*setup.catalog).clone();
    left.images.remove(&ImageName::from("z.x86_64"));
    left.images.remove(&ImageName::from("z.arm64"));
    left.settings.architectures.remove("z");
    let facts = inventory(&setup);
    let image = ImageName::from("z");
    let plan = revoke::plan_revocation(&left, &facts, &image, VERSION, "v1".into());
    let affected: Vec<&str> = plan.decisions.iter().map(|d| d.image.as_str()).collect();
    assert_eq!(affected, ["z", "z.arm64"]);
}

#[test]
fn client_tokens_of_both_architectures_differ() {
    let name = "n".repeat(40);
    let token = |arch| {
        let image = ImageName::with_arch(&name, arch);
        crate::steps::context::client_token(&format!("20261122t120000z-abcd boot {image}"))
    };
    assert_ne!(token(Arch::X86_64), token(Arch::Arm64));
    assert!(token(Arch::X86_64).len() <= 64);
}
