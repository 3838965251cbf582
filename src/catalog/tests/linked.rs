//! Owns the tests of paths and links, with a repository that answers as a file system would.

use super::{Repository, repository, spans};
use crate::catalog::{Files, Lookup, load};

/// A repository in which one path is something else than a plain file.
struct Odd {
    rest: Repository,
    path: &'static str,
    is: Lookup,
}

impl Files for Odd {
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
fn what_is_no_plain_file_of_the_repository_is_refused() {
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
        let (catalog, found) = load(&Odd {
            rest,
            path,
            is: is.clone(),
        });
        assert_eq!(spans(&found), [expected], "{path} {is:?}");
        assert!(catalog.is_none());
    }
}

#[test]
fn an_image_whose_file_is_broken_still_counts_as_a_parent() {
    let files = repository(&[
        ("images/base.yaml", "a: [\n"),
        ("images/kid.yaml", "parent: base\npackages: [-y]\n"),
    ]);
    assert_eq!(
        spans(&load(&files).1),
        ["CAT004 images/base.yaml:1:4", "CAT067 images/kid.yaml:2:12"]
    );
}
