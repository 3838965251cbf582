//! Tests of paths and links, with the lookup results of a file system.

use super::{Repository, codes_and_positions, repository};
use crate::catalog::{Files, Lookup, load};

/// A repository with one special lookup result.
struct OddRepository {
    rest: Repository,
    path: &'static str,
    is: Lookup,
}

impl Files for OddRepository {
    fn get(&self, path: &str) -> Lookup {
        if path == self.path {
            self.is.clone()
        } else {
            Files::get(&self.rest, path)
        }
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let mut all = self.rest.list(folder);
        if self.path.starts_with(&format!("{folder}/")) && !all.iter().any(|p| p == self.path) {
            all.push(self.path.to_owned());
        }
        all
    }
}

#[test]
fn paths_must_be_files_of_the_repository() {
    let escapes = Lookup::Escapes("/etc/passwd".to_owned());
    let denied = Lookup::Unreadable("permission denied".to_owned());
    let image = "source: {ssm: /a}\nscripts:\n  - odd\n";
    for (path, is, expected) in [
        ("odd", escapes.clone(), "CAT061 images/base.yaml:3:5"),
        ("odd", Lookup::NotAFile, "CAT063 images/base.yaml:3:5"),
        (
            "odd",
            Lookup::TooLarge(1 << 40),
            "CAT063 images/base.yaml:3:5",
        ),
        ("odd", denied.clone(), "CAT063 images/base.yaml:3:5"),
        ("odd", Lookup::Missing, "CAT062 images/base.yaml:3:5"),
        (
            "images/odd.yaml",
            escapes.clone(),
            "CAT002 images/odd.yaml:0:0",
        ),
        (
            "images/odd.yaml",
            Lookup::NotAFile,
            "CAT002 images/odd.yaml:0:0",
        ),
        (
            "images/odd.yaml",
            Lookup::TooLarge(1 << 40),
            "CAT002 images/odd.yaml:0:0",
        ),
        (
            "images/odd.yaml",
            denied.clone(),
            "CAT002 images/odd.yaml:0:0",
        ),
        (
            "images/odd.yaml",
            Lookup::Found(vec![b' '; (1 << 20) + 1]),
            "CAT002 images/odd.yaml:0:0",
        ),
        (
            "images/odd.yaml",
            Lookup::Found(b"a: \xff\n".to_vec()),
            "CAT003 images/odd.yaml:1:4",
        ),
        (
            "profiles/odd.yaml",
            escapes.clone(),
            "CAT002 profiles/odd.yaml:0:0",
        ),
        ("templates/odd", escapes.clone(), "CAT061 templates/odd:0:0"),
        (
            "templates/odd",
            Lookup::TooLarge(1 << 40),
            "CAT063 templates/odd:0:0",
        ),
        ("bakeline.yaml", escapes, "CAT002 bakeline.yaml:0:0"),
        ("bakeline.yaml", Lookup::Missing, "CAT001 bakeline.yaml:0:0"),
    ] {
        let text = if path == "odd" { image } else { super::BASE };
        let rest = repository(&[("images/base.yaml", text)]);
        let (catalog, found) = load(&OddRepository {
            rest,
            path,
            is: is.clone(),
        });
        assert_eq!(codes_and_positions(&found), [expected], "{path} {is:?}");
        assert!(catalog.is_none());
    }
}

#[test]
fn broken_image_is_a_known_parent() {
    let files = repository(&[
        ("images/base.yaml", "a: [\n"),
        ("images/kid.yaml", "parent: base\npackages: [-y]\n"),
    ]);
    assert_eq!(
        codes_and_positions(&load(&files).1),
        ["CAT004 images/base.yaml:1:4", "CAT067 images/kid.yaml:2:12"]
    );
}
