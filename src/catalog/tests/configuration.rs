//! Tests of the Ansible and Puppet entries of an image.

use std::collections::BTreeMap;

use super::{codes_and_positions, load_valid, repository};
use crate::catalog::{Catalog, Files, Lookup, load};
use crate::model::ImageName;
use crate::plan::fingerprint::Recipe;
use crate::provision::Provision;

const ROLE: &str = "ansible/roles/web/tasks/main.yaml";

fn image(catalog: &Catalog) -> &crate::catalog::Image {
    &catalog.images[&ImageName::from("base")]
}

/// The smallest image with something added.
fn base_with(more: &str) -> String {
    format!("source: {{ssm: /a}}\n{more}")
}

#[test]
fn provisioners_are_ordered_and_include_their_directories() {
    let text = base_with(
        "scripts: [files/deep/run.sh]\npuppet: [{manifest: puppet/site.pp, facts: {team: a}}]\n\
         ansible:\n  - playbook: ansible/site.yaml\n    vars: {greeting: \"a: $(b) {% c %}\\nd\"}\n\
         files: [{source: files/motd, destination: /etc/motd}]\npackages: [nginx]\n",
    );
    let catalog = load_valid(&[
        ("images/base.yaml", &text),
        (ROLE, "- ansible.builtin.ping:\n"),
        ("ansible/roles/web/tasks/main.retry", "x"),
        ("ansible/__pycache__/x.pyc", "x"),
        ("ansible/.git/HEAD", "x"),
        ("ansible2/other.yaml", "x"),
        ("puppet/modules/web/manifests/init.pp", "class web {}\n"),
        ("puppet/hiera.yaml", "version: 5\n"),
    ]);
    let [
        Provision::Packages(_),
        Provision::File(_),
        Provision::Ansible(ansible),
        Provision::Puppet(puppet),
        Provision::Script(_),
    ] = image(&catalog).provision.as_slice()
    else {
        panic!("{:?}", image(&catalog).provision)
    };
    assert_eq!(
        (ansible.playbook.as_str(), ansible.files.as_slice()),
        (
            "ansible/site.yaml",
            &[ROLE, "ansible/site.yaml"].map(str::to_owned)[..]
        )
    );
    assert_eq!(
        ansible.vars,
        BTreeMap::from([("greeting".to_owned(), "a: $(b) {% c %}\nd".into())])
    );
    assert_eq!(
        (puppet.modules.as_deref(), puppet.hiera().as_deref()),
        (Some("puppet/modules"), Some("puppet/hiera.yaml"))
    );
    assert_eq!(
        puppet.files,
        [
            "puppet/hiera.yaml",
            "puppet/modules/web/manifests/init.pp",
            "puppet/site.pp"
        ]
    );
    assert_eq!(puppet.facts["team"], "a");
    assert!(
        puppet
            .files
            .iter()
            .chain(&ansible.files)
            .all(|path| catalog.files.contains_key(path))
    );
    assert!(!catalog.files.contains_key("ansible2/other.yaml"));
}

#[test]
fn puppet_modules_are_optional() {
    let text = base_with(
        "puppet: [{manifest: puppet/site.pp, modules: shared/modules}, {manifest: puppet/site.pp}]\n",
    );
    let catalog = load_valid(&[
        ("images/base.yaml", &text),
        ("shared/modules/web/manifests/init.pp", "class web {}\n"),
    ]);
    let [Provision::Puppet(one), Provision::Puppet(two)] = image(&catalog).provision.as_slice()
    else {
        panic!("two")
    };
    assert_eq!(one.modules.as_deref(), Some("shared/modules"));
    assert_eq!(
        one.files,
        ["puppet/site.pp", "shared/modules/web/manifests/init.pp"]
    );
    assert_eq!(
        (two.modules.as_deref(), two.files.as_slice()),
        (None, &["puppet/site.pp".to_owned()][..])
    );
}

#[test]
fn recipe_contains_all_files_and_values() {
    let recipe = |role: &str, value: &str, more: &[(&str, &str)]| {
        let text = base_with(&format!(
            "ansible: [{{playbook: ansible/site.yaml, vars: {{a: \"{value}\"}}}}]\npuppet: [{{manifest: puppet/site.pp}}]\n"
        ));
        let files: Vec<(&str, &str)> = [("images/base.yaml", text.as_str()), (ROLE, role)]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        Recipe::from_image(&load_valid(&files), image(&load_valid(&files)))
    };
    let before = recipe("x", "1", &[]);
    let moved = |after: &Recipe| {
        let mut keys: Vec<String> = before
            .0
            .keys()
            .chain(after.0.keys())
            .filter(|k| before.0.get(*k) != after.0.get(*k))
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        keys
    };
    assert_eq!(moved(&recipe("y", "1", &[])), [format!("file {ROLE}")]);
    assert_eq!(
        moved(&recipe("x", "2", &[])),
        ["playbook ansible/site.yaml a"]
    );
    assert_eq!(
        moved(&recipe("x", "1", &[("puppet/modules/a/files/b", "c")])).len(),
        2,
        "the file, and that there are modules"
    );
    assert_eq!(
        moved(&recipe(
            "x",
            "1",
            &[("ansible/x.retry", "x"), ("files/other", "x")]
        )),
        Vec::<String>::new()
    );
    let plain = load_valid(&[(ROLE, "x")]);
    let keys = Recipe::from_image(&plain, image(&plain)).0;
    assert!(
        !keys
            .keys()
            .any(|k| k.contains("ansible") || k.contains("puppet")),
        "{keys:?}"
    );
}

#[test]
fn broken_playbooks_and_manifests_are_reported() {
    let long = format!(
        "ansible: [{{playbook: ansible/site.yaml, vars: {{a: \"{}\"}}}}]\n",
        "x".repeat(4097)
    );
    for (more, expected) in [
        ("ansible: [{playbook: site.yaml}]\n", vec!["CAT060 2:22"]),
        ("ansible: [{playbook: ../site.yaml}]\n", vec!["CAT060 2:22"]),
        (
            "ansible: [{playbook: ansible/sit.yaml}]\n",
            vec!["CAT062 2:22"],
        ),
        ("ansible: [{playbook: ansible}]\n", vec!["CAT063 2:22"]),
        ("ansible: [{}]\n", vec!["CAT022 2:11"]),
        (
            "ansible: [{playbok: ansible/site.yaml}]\n",
            vec!["CAT020 2:12"],
        ),
        ("ansible: [ansible/site.yaml]\n", vec!["CAT021 2:11"]),
        (
            "ansible: {playbook: ansible/site.yaml}\n",
            vec!["CAT021 2:1"],
        ),
        (
            "ansible: [{playbook: ansible/site.yaml, vars: {a: [1, {b: \"{{ c }}\"}]}}]\n",
            vec!["CAT082 2:51"],
        ),
        (
            "ansible: [{playbook: ansible/site.yaml, vars: {a: \"{{ b }}\"}}]\n",
            vec!["CAT082 2:51"],
        ),
        (
            "ansible: [{playbook: ansible/site.yaml, vars: {a-b: x}}]\n",
            vec!["CAT084 2:48"],
        ),
        (
            "ansible: [{playbook: ansible/site.yaml, vars: {ansible_connection: local}}]\n",
            vec!["CAT084 2:48"],
        ),
        (&long, vec!["CAT083 2:51"]),
        ("puppet: [{manifest: site.pp}]\n", vec!["CAT060 2:21"]),
        (
            "puppet: [{manifest: puppet/site.pp, modules: nowhere}]\n",
            vec!["CAT062 2:46"],
        ),
        (
            "puppet: [{manifest: puppet/site.pp, modules: ../x}]\n",
            vec!["CAT060 2:46"],
        ),
        (
            "puppet: [{manifest: puppet/site.pp, facts: {Team: a}}]\n",
            vec!["CAT084 2:45"],
        ),
    ] {
        let (catalog, found) = load(&repository(&[
            ("images/base.yaml", &base_with(more)),
            ("site.yaml", "x"),
            ("site.pp", "x"),
        ]));
        let expected: Vec<String> = expected
            .iter()
            .map(|e| e.replacen(' ', " images/base.yaml:", 1))
            .collect();
        assert_eq!(codes_and_positions(&found), expected, "{more}{found:#?}");
        assert!(catalog.is_none() && found.iter().all(|d| d.help.is_some()));
    }
}

#[test]
fn variables_of_playbook_keep_their_types() {
    let text = base_with(
        "ansible:\n  - playbook: ansible/site.yaml\n    vars: {n: 8, r: 1.5, on: true, none: ~, l: [a, {b: 1}], t: \"8\"}\n",
    );
    let catalog = load_valid(&[("images/base.yaml", &text)]);
    let [Provision::Ansible(ansible)] = image(&catalog).provision.as_slice() else {
        panic!("a playbook")
    };
    let expected = serde_json::json!({"l": ["a", {"b": 1}], "n": 8, "none": null, "on": true, "r": 1.5, "t": "8"});
    assert_eq!(serde_json::json!(ansible.vars), expected);
    let recipe = Recipe::from_image(&catalog, image(&catalog)).0;
    assert_eq!(recipe["playbook ansible/site.yaml l"], r#"["a",{"b":1}]"#);
    assert_eq!(recipe["playbook ansible/site.yaml t"], "8");
}

/// A repository with additional lookup results.
struct OddRepository(BTreeMap<String, Vec<u8>>, Vec<(String, Lookup)>);

impl Files for OddRepository {
    fn get(&self, path: &str) -> Lookup {
        self.1
            .iter()
            .find(|(p, _)| p == path)
            .map_or_else(|| Files::get(&self.0, path), |(_, is)| is.clone())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let more = self
            .1
            .iter()
            .filter(|(p, _)| p.starts_with(&format!("{folder}/")))
            .map(|(p, _)| p.clone());
        self.0.list(folder).into_iter().chain(more).collect()
    }
}

#[test]
fn playbook_directory_has_limits() {
    let odd = |name: &str, is: Lookup| vec![(format!("ansible/{name}"), is)];
    let many = (0..5001)
        .map(|n| (format!("ansible/f{n:05}"), Lookup::Found(Vec::new())))
        .collect();
    let large = (0..5)
        .map(|n| (format!("ansible/f{n}"), Lookup::Found(vec![0; 15 << 20])))
        .collect();
    for (more, code) in [
        (odd("roles/x", Lookup::Escapes("/etc".to_owned())), "CAT061"),
        (odd("roles/x", Lookup::NotAFile), "CAT063"),
        (odd("roles/x", Lookup::TooLarge(1 << 40)), "CAT063"),
        (
            odd("roles/x", Lookup::Unreadable("no".to_owned())),
            "CAT063",
        ),
        (odd("roles/x", Lookup::Missing), "CAT062"),
        (odd("roles/a\nb", Lookup::Found(Vec::new())), "CAT060"),
        (many, "CAT063"),
        (large, "CAT063"),
    ] {
        let rest = repository(&[(
            "images/base.yaml",
            &base_with("ansible: [{playbook: ansible/site.yaml}]\n"),
        )]);
        let name = more[0].0.clone();
        let (catalog, found) = load(&OddRepository(rest, more));
        assert_eq!(
            codes_and_positions(&found),
            [format!("{code} images/base.yaml:2:22")],
            "{name}: {found:#?}"
        );
        assert!(catalog.is_none());
    }
}
