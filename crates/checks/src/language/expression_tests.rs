//! Tests: conditions, read and evaluated.

use super::*;
use crate::language::grammar::parse;

/// A world in which package `auditd` is installed and everything else is unknown.
#[derive(Default)]
struct World(Patterns);

impl Scope for World {
    fn observe(&self, target: &Target, property: &str) -> Observed {
        match (target.subject.as_str(), property) {
            ("auditd", "installed") => Observed::bool(true),
            ("auditd", "version") => Observed::Value(Value::Version("1:3.0.9".to_owned())),
            ("this", "version") => Observed::Value(Value::Version("8.10".to_owned())),
            ("/numbers", "ratio") => Observed::Value(Value::Setting(vec!["0.25".to_owned()])),
            ("file", "AllowUsers") => {
                Observed::Value(Value::Setting(vec!["alice".to_owned(), "bob".to_owned()]))
            }
            ("gone", "version") => Observed::Missing("is not installed".to_owned()),
            _ => Observed::Unknown("it was not collected".to_owned()),
        }
    }

    fn patterns(&self) -> &Patterns {
        &self.0
    }

    fn input(&self, name: &str) -> Result<Tree, String> {
        match name {
            "level" => Ok(Tree::Int(2)),
            "shells" => Ok(Tree::List(vec![
                Tree::Text("sh".into()),
                Tree::Text("bash".into()),
            ])),
            _ => Err(format!("there is no input `{name}`")),
        }
    }

    fn variable(&self, name: &str) -> Option<Tree> {
        (name == "m").then(|| Tree::Text("bash".into()))
    }
}

#[test]
fn conditions_hold_or_not() {
    for (text, expected) in [
        ("package(\"auditd\").installed", Ok(true)),
        ("not package(\"auditd\").installed", Ok(false)),
        ("not not true and (false or true)", Ok(true)),
        ("package('auditd').version >= \"1:3\"", Ok(true)),
        ("package('auditd').version < \"1:3\"", Ok(false)),
        (
            "os.version >= \"8.9\" and os.version > 8.9 and os.version < 9",
            Ok(true),
        ),
        ("\"3.134\" > \"3.20\" and 0.5 < 3", Ok(true)),
        ("config_file(\"/numbers\").ratio < 0.3", Ok(true)),
        ("\"bob\" in sshd_config(\"file\").AllowUsers", Ok(true)),
        ("\"eve\" in sshd_config(\"file\").AllowUsers", Ok(false)),
        ("package('gone').version == \"1\"", Ok(false)),
        ("package('gone').version != \"1\"", Ok(true)),
        ("inputs.level >= 2 and inputs.level < 10", Ok(true)),
        ("m in inputs.shells", Ok(true)),
        ("m in [\"zsh\"]", Ok(false)),
        ("m matches \"^ba\"", Ok(true)),
        ("true or package(\"other\").installed", Ok(true)),
        ("package(\"other\").installed or true", Err(())),
        ("m", Err(())),
    ] {
        let condition = parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(
            condition.holds(&World::default()).map_err(drop),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_is_no_condition_is_refused_with_the_reason() {
    for (text, part) in [
        ("", "ends too early"),
        ("true and", "ends too early"),
        ("(true", "`)` is missing"),
        ("true true", "`true` was not expected"),
        ("package(\"xz\").instaled", "no property `instaled`"),
        ("pakage(\"x\").installed", "did you mean `package`"),
        ("package.installed", "needs a name"),
        ("package(\"-y\").installed", "option"),
        ("m matches \"(\"", "can't be used"),
        ("a & b", "`&`"),
        ("\"open", "not closed"),
        ("1.2.3 > 1", "quote a version"),
    ] {
        let said = parse(text).expect_err(text);
        assert!(said.contains(part), "{text}: {said}");
    }
    let deep = format!("{}true{}", "(".repeat(200), ")".repeat(200));
    assert!(parse(&deep).is_err(), "bounded");
}
