//! Tests of files and folders that an image copies.

use std::collections::BTreeMap;

use super::{codes_and_positions, load_valid, repository};
use crate::catalog::{FileProperties, Files, Lookup, load};
use crate::model::ImageName;
use crate::plan::fingerprint::Recipe;
use crate::provision::Provision;
use crate::provision::tree::TreeEntryKind;

fn base_with(more: &str) -> String {
    format!("source: {{ssm: /a}}\nfiles: [{more}]\n")
}

/// A repository with links, executable files and other lookup results.
struct TreeRepository {
    files: BTreeMap<String, Vec<u8>>,
    more: Vec<(String, Lookup)>,
    properties: Vec<(&'static str, FileProperties)>,
}

impl TreeRepository {
    fn new(files: &[(&str, &str)]) -> Self {
        Self {
            files: repository(files),
            more: Vec::new(),
            properties: Vec::new(),
        }
    }

    fn link(mut self, path: &'static str, target: &str, resolved: &str) -> Self {
        self.more
            .push((path.to_owned(), Lookup::Found(b"x".to_vec())));
        let properties = FileProperties {
            resolved: resolved.to_owned(),
            link: Some(target.to_owned()),
            executable: false,
        };
        self.properties.push((path, properties));
        self
    }
}

impl TreeRepository {
    /// Adds a link to a path that is not a file.
    fn link_to(self, path: &'static str, target: &str, resolved: &str, is: Lookup) -> Self {
        let mut out = self.link(path, target, resolved);
        if let Some(last) = out.more.last_mut() {
            last.1 = is;
        }
        out
    }
}

impl Files for TreeRepository {
    fn get(&self, path: &str) -> Lookup {
        let more = self.more.iter().find(|(p, _)| p == path);
        more.map_or_else(|| Files::get(&self.files, path), |(_, is)| is.clone())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let prefix = format!("{folder}/");
        let more = self.more.iter().map(|(path, _)| path.clone());
        let more = more.filter(|path| path.starts_with(&prefix));
        self.files.list(folder).into_iter().chain(more).collect()
    }

    fn properties(&self, path: &str) -> FileProperties {
        let known = self.properties.iter().find(|(p, _)| *p == path);
        known.map_or_else(|| self.files.properties(path), |(_, is)| is.clone())
    }
}

#[test]
fn folder_keeps_names_modes_and_links() {
    let text = base_with("{source: root fs, destination: /, group: adm}");
    let mut files = TreeRepository::new(&[
        ("images/base.yaml", &text),
        ("root fs/etc/ä b", "1"),
        ("root fs/usr/bin/tool", "2"),
        ("root fs/.git/HEAD", "3"),
    ])
    .link(
        "root fs/etc/other",
        "../usr/bin/tool",
        "root fs/usr/bin/tool",
    );
    let executable = FileProperties {
        resolved: "root fs/usr/bin/tool".to_owned(),
        executable: true,
        ..FileProperties::default()
    };
    files.properties.push(("root fs/usr/bin/tool", executable));
    let (catalog, found) = load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{found:#?}"));
    let image = &catalog.images[&ImageName::from("base")];
    let [Provision::Tree(tree)] = image.provision.as_slice() else {
        panic!("{:?}", image.provision)
    };
    assert_eq!(tree.owner, "root:adm");
    let entries: Vec<(String, &str, bool)> = tree
        .entries
        .iter()
        .map(|e| {
            (
                tree.target(e),
                tree.mode_of(e),
                matches!(e.kind, TreeEntryKind::Link(_)),
            )
        })
        .collect();
    assert_eq!(
        entries,
        [
            ("/etc/ä b".to_owned(), "0644", false),
            ("/usr/bin/tool".to_owned(), "0755", false),
            ("/etc/other".to_owned(), "0644", true),
        ]
    );
    let recipe = Recipe::from_image(&catalog, image).0;
    assert_eq!(recipe["destination /"], "root:adm own modes from root fs");
    assert_eq!(
        recipe["destination / file root fs/etc/other"],
        "link to ../usr/bin/tool"
    );
    assert!(recipe["destination / file root fs/usr/bin/tool"].starts_with("0755 "));
}

#[test]
fn unusable_folders_are_reported() {
    let text = base_with("{source: t, destination: /t}");
    let new =
        || TreeRepository::new(&[("images/base.yaml", &text), ("t/a", "1"), ("files/b", "2")]);
    let with = |more: Vec<(String, Lookup)>| TreeRepository { more, ..new() };
    let large = (0..5).map(|n| (format!("t/f{n}"), Lookup::Found(vec![0; 15 << 20])));
    let many = (0..5001).map(|n| (format!("t/f{n:05}"), Lookup::Found(Vec::new())));
    for (files, code, words) in [
        (
            new().link("t/l", "../files/b", "files/b"),
            "CAT061",
            "`../files/b`, which is not inside",
        ),
        (
            new().link("t/l", "/etc/passwd", "/etc/passwd"),
            "CAT061",
            "`t/l` is a link",
        ),
        (new().link("t/l", "../t2/b", "t2/b"), "CAT061", "not inside"),
        (new().link("t/l", "missing", ""), "CAT061", "not inside"),
        (
            with(vec![("t/fifo".to_owned(), Lookup::NotAFile)]),
            "CAT063",
            "special file",
        ),
        (
            with(vec![("t/x".to_owned(), Lookup::TooLarge(1 << 31))]),
            "CAT063",
            "too large",
        ),
        (
            with(vec![("t/a\nb".to_owned(), Lookup::Found(Vec::new()))]),
            "CAT060",
            "control character",
        ),
        (with(large.collect()), "CAT063", "more than 64 MiB"),
        (with(many.collect()), "CAT063", "more than 5000 files"),
    ] {
        let (catalog, found) = load(&files);
        assert_eq!(
            codes_and_positions(&found),
            [format!("{code} images/base.yaml:2:18")],
            "{found:#?}"
        );
        assert!(found[0].message.contains(words), "{found:#?}");
        assert!(catalog.is_none() && found[0].help.is_some());
    }
}

#[test]
fn owner_and_group_are_separate_or_joined() {
    for (keys, owner) in [
        ("", "root:root"),
        (", owner: app", "app"),
        (", owner: \"app:adm\"", "app:adm"),
        (", group: adm", "root:adm"),
        (", owner: app, group: \"33\"", "app:33"),
    ] {
        let text = base_with(&format!(
            "{{source: files/motd, destination: /etc/motd{keys}}}"
        ));
        let catalog = load_valid(&[("images/base.yaml", &text)]);
        let [Provision::File(file)] = catalog.images[&ImageName::from("base")]
            .provision
            .as_slice()
        else {
            panic!("a file")
        };
        assert_eq!(file.owner, owner, "{keys}");
    }
    for (keys, expected) in [
        (", owner: \"a:b\", group: c", "CAT066 images/base.yaml:2:75"),
        (", group: \"a:b\"", "CAT066 images/base.yaml:2:61"),
        (", template: 1", "CAT021 images/base.yaml:2:64"),
    ] {
        let text = base_with(&format!(
            "{{source: files/motd, destination: /etc/motd{keys}}}"
        ));
        let (_, found) = load(&repository(&[("images/base.yaml", &text)]));
        assert_eq!(codes_and_positions(&found), [expected], "{keys}{found:#?}");
    }
}

#[test]
fn file_cannot_replace_root() {
    let text = base_with("{source: files/motd, destination: /}");
    let (_, found) = load(&repository(&[("images/base.yaml", &text)]));
    assert_eq!(
        codes_and_positions(&found),
        ["CAT064 images/base.yaml:2:18"]
    );
}

#[test]
fn recipe_names_variables_of_templates() {
    let text = base_with("{source: t.conf, destination: /etc/t.conf, template: true}");
    let mut catalog = load_valid(&[
        ("images/base.yaml", &text),
        ("t.conf", "listen {{ port }}; {# {{ other }} #}"),
    ]);
    let name = ImageName::from("base");
    let image = catalog.images.get_mut(&name).expect("the image");
    for (name, value) in [("port", 8080.into()), ("other", "x".into())] {
        image.template_variables.insert(name.to_owned(), value);
    }
    let recipe = Recipe::from_image(&catalog, &catalog.images[&name]).0;
    let variables: Vec<_> = recipe
        .iter()
        .filter(|(k, _)| k.starts_with("variable "))
        .collect();
    assert_eq!(
        variables,
        [(&"variable port".to_owned(), &"8080".to_owned())]
    );
    let blocks = crate::render::file_template::render_file_template(
        "t.conf",
        "listen {{ port }};",
        &catalog.images[&name].template_variables,
    );
    assert_eq!(blocks.expect("rendered"), "listen 8080;");
}

/// Returns a catalog with a playbook in `ansible/web`.
fn playbook_repository() -> TreeRepository {
    let text = "source: {ssm: /a}\nansible: [{playbook: ansible/web/site.yaml}]\n";
    let role = "ansible/web/roles/nginx/tasks/main.yaml";
    TreeRepository::new(&[
        ("images/base.yaml", text),
        ("ansible/web/site.yaml", "- hosts: all\n"),
        (role, "[]\n"),
    ])
}

/// Roles contain links from their tests to the role itself.
#[test]
fn playbook_directory_keeps_links_to_directories() {
    let files = playbook_repository().link_to(
        "ansible/web/roles/nginx/tests/roles/nginx",
        "../../../nginx",
        "ansible/web/roles/nginx",
        Lookup::NotAFile,
    );
    let (catalog, found) = load(&files);
    let catalog = catalog.unwrap_or_else(|| panic!("{found:#?}"));
    let image = &catalog.images[&ImageName::from("base")];
    let [Provision::Ansible(ansible)] = image.provision.as_slice() else {
        panic!("{:?}", image.provision)
    };
    let path = "ansible/web/roles/nginx/tests/roles/nginx";
    assert_eq!(ansible.links[path], "ansible/web/roles/nginx");
    assert!(!ansible.files.iter().any(|file| file == path));
    let recipe = Recipe::from_image(&catalog, image).0;
    assert_eq!(
        recipe[&format!("file {path}")],
        "link to ansible/web/roles/nginx"
    );
}

#[test]
fn playbook_link_out_of_its_directory_is_rejected() {
    for (target, resolved, is, expected) in [
        (
            "../../../shared/x",
            "shared/x",
            Lookup::NotAFile,
            "is a link to `../../../shared/x`, which is not inside `ansible/web`",
        ),
        (
            "../../webs",
            "ansible/webs",
            Lookup::NotAFile,
            "which is not inside `ansible/web`",
        ),
        (
            "gone",
            "",
            Lookup::Missing,
            "is a link to `gone`, which does not exist",
        ),
    ] {
        let path = "ansible/web/roles/acme.nginx/tests/roles/acme.nginx/tests/roles/nginx";
        let (_, found) = load(&playbook_repository().link_to(path, target, resolved, is));
        assert_eq!(
            codes_and_positions(&found),
            ["CAT061 images/base.yaml:2:22"],
            "{found:#?}"
        );
        assert!(found[0].message.contains(expected), "{found:#?}");
        assert!(found[0].message.contains(path), "{found:#?}");
    }
}

#[test]
fn manifest_directory_cannot_have_links_to_directories() {
    let text = "source: {ssm: /a}\npuppet: [{manifest: puppet/site.pp}]\n";
    let files = TreeRepository::new(&[("images/base.yaml", text), ("puppet/site.pp", "x\n")]);
    let (_, found) = load(&files.link_to(
        "puppet/modules/a/spec/a",
        "../../a",
        "puppet/modules/a",
        Lookup::NotAFile,
    ));
    assert_eq!(
        codes_and_positions(&found),
        ["CAT063 images/base.yaml:2:21"],
        "{found:#?}"
    );
}
