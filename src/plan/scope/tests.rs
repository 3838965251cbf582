//! Tests the texts of scopes.

use super::*;

fn resource(kind: TemporaryKind, id: &str, name: &str) -> TemporaryResource {
    let (id, name, tags) = (id.to_owned(), name.to_owned(), Default::default());
    TemporaryResource {
        kind,
        id,
        name,
        region: "eu-west-1".into(),
        account: None,
        tags,
        used: false,
    }
}

/// Every kind of scope, its text, and the kind of its subject.
fn examples() -> Vec<(Scope, &'static str)> {
    let location = parse_location("eu-west-1");
    let account = parse_location("123456789012.eu-west-1");
    let web = Scope::of_image(&"web".into());
    let ami = Scope::of_ami(&"ami-0a1b".into());
    let permission = resource(TemporaryKind::CopyPermission, "ami-0a1b", "123456789012");
    let instance = resource(TemporaryKind::Instance, "i-0a1b", "");
    let image = resource(TemporaryKind::Image, "ami-0a1b", "acme/web");
    vec![
        (web.clone(), "web"),
        (web.clone().at(&location), "web@eu-west-1"),
        (web.at(&account), "web@123456789012.eu-west-1"),
        (ami.clone(), "ami-0a1b"),
        (ami.at(&location), "ami-0a1b@eu-west-1"),
        (Scope::of_leftover(&instance), "i-0a1b"),
        (Scope::of_leftover(&image), "ami-0a1b"),
        (Scope::of_leftover(&permission), "ami-0a1b.123456789012"),
        (
            Scope::of_leftover(&permission).at(&account),
            "ami-0a1b.123456789012@123456789012.eu-west-1",
        ),
        (
            Scope::of_pointer("/bakeline/acme/web/Test/x86_64").at(&location),
            "bakeline.acme.web.Test.x86_64@eu-west-1",
        ),
        (
            Scope::of_store_object("acme/images/web/1/manifest.json"),
            "store.acme.images.web.1.manifest.json",
        ),
        (Scope::of_revocation(&location), "revoke@eu-west-1"),
    ]
}

#[test]
fn every_scope_survives_a_round_trip() {
    let kind = |scope: &Scope| std::mem::discriminant(scope.subject());
    for (scope, text) in examples() {
        assert_eq!(scope.to_string(), text);
        let json = serde_json::to_string(&scope).expect("a scope is valid JSON");
        assert_eq!(json, format!("\"{text}\""));
        let read: Scope = serde_json::from_str(&json).expect("a scope");
        assert_eq!(read, scope);
        assert_eq!(kind(&read), kind(&scope), "{text}");
        assert_eq!(read.location(), scope.location(), "{text}");
    }
}

#[test]
fn invalid_scopes_are_rejected() {
    for text in ["", "@eu-west-1", "web@", "web@1.", "web/build"] {
        assert!(text.parse::<Scope>().is_err(), "{text}");
    }
}

#[test]
fn scopes_sort_and_match_by_text() {
    let mut scopes = ["web@eu-west-1", "web", "web-a"].map(|s| s.parse::<Scope>().expect("ok"));
    scopes.sort();
    assert_eq!(scopes.map(String::from), ["web", "web-a", "web@eu-west-1"]);
    let named_like_an_ami = Scope::of_image(&"ami-0a1b".into());
    assert_eq!(named_like_an_ami, "ami-0a1b".parse().expect("a scope"));
}

#[test]
fn image_named_like_another_subject_is_recognized_after_a_round_trip() {
    let location = parse_location("eu-west-1");
    for name in ["web", "ami-2023", "key-db", "i-386", "revoke"] {
        let image = ImageName::from(name);
        for scope in [
            Scope::of_image(&image),
            Scope::of_image(&image).at(&location),
        ] {
            let read: Scope = scope.to_string().parse().expect("a scope");
            assert!(read.is_of_image(&image), "{scope}");
            assert_eq!(read.is_home_of(&image), scope.location().is_none());
            assert!(!read.is_of_image(&"other".into()));
        }
    }
}
