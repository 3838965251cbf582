//! Tests of the questions with scripted answers.

use std::collections::VecDeque;
use std::path::Path;

use super::questions::{Dialog, Surroundings, ask_choices};
use super::{base_image, choose, command_line};
use crate::cli::Init;
use crate::error::{Error, ErrorKind, Result};

/// Dialog with answers from a list. Records questions and messages.
struct Script {
    answers: VecDeque<&'static str>,
    shown: Vec<String>,
}

impl Script {
    fn new(answers: &[&'static str]) -> Self {
        Self {
            answers: answers.iter().copied().collect(),
            shown: Vec::new(),
        }
    }
}

impl Dialog for Script {
    fn ask(&mut self, question: &str) -> Result<String> {
        self.shown.push(question.to_owned());
        let end = || Error::new(ErrorKind::Usage, "end");
        self.answers.pop_front().map(str::to_owned).ok_or_else(end)
    }

    fn say(&mut self, text: &str) {
        self.shown.push(text.to_owned());
    }
}

fn no_flags() -> Init {
    Init {
        directory: None,
        name: None,
        regions: Vec::new(),
        account: None,
        prod_accounts: Vec::new(),
        systems: Vec::new(),
        gitlab: false,
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        directory: Some("My_Images".to_owned()),
        region: Some("eu-west-1".to_owned()),
        systems: vec!["debian-12".to_owned(), "debian-13".to_owned()],
        has_pipeline: false,
    }
}

fn answer(args: &Init, around: &Surroundings, script: &mut Script) -> Result<Init> {
    ask_choices(args, around, &|name| base_image(name).map(|_| ()), script)
}

#[test]
fn empty_answers_select_the_defaults() {
    let mut script = Script::new(&["", " ", "\t", "", "", ""]);
    let choices = answer(&no_flags(), &surroundings(), &mut script).expect("choices");
    assert_eq!(
        command_line(Path::new(""), &choices),
        "bakeline init --name my-images --region eu-west-1 --os debian-13"
    );
    let shown = script.shown.join("\n");
    for default in [
        "[my-images]",
        "[none]",
        "[eu-west-1]",
        "[debian-13]",
        "[no]",
    ] {
        assert!(shown.contains(default), "{shown}");
    }
    assert!(script.shown.iter().all(|line| line.len() < 80), "{shown}");
    // The Region of the environment may be invalid, and the directory may have no usable name.
    for (directory, region) in [
        (Some("éé"), Some("local")),
        (None, None),
        (Some("1a"), None),
    ] {
        let around = Surroundings {
            directory: directory.map(str::to_owned),
            region: region.map(str::to_owned),
            ..surroundings()
        };
        let mut script = Script::new(&["", "", "", "", "", ""]);
        let choices = answer(&no_flags(), &around, &mut script).expect("choices");
        assert_eq!(choices.name.as_deref(), Some("images"));
        assert_eq!(choices.regions, ["us-east-1"]);
    }
}

#[test]
fn invalid_answers_are_asked_again_with_the_reason() {
    let mut script = Script::new(&[
        "Acme\u{1b}[D",
        "acme",
        "12",
        "111111111111",
        "eu-west-1a",
        "eu-west-1 eu-west-1",
        ",",
        "eu-west-1, us-east-1",
        "222222222222,222222222222",
        "222222222222 333333333333",
        "debain-12",
        "debian-12 ubuntu-24-04",
        "perhaps",
        "Y",
    ]);
    let choices = answer(&no_flags(), &surroundings(), &mut script).expect("choices");
    assert!(script.answers.is_empty());
    assert_eq!(
        command_line(Path::new("it's here"), &choices),
        "bakeline init 'it'\\''s here' --name acme --region eu-west-1 \\\n    \
         --region us-east-1 --account 111111111111 --prod-account 222222222222 \\\n    \
         --prod-account 333333333333 --os debian-12 --os ubuntu-24-04 --gitlab"
    );
    assert!(choose(Path::new(""), &choices).is_ok());
    let shown = script.shown.join("\n");
    for problem in [
        "`Acme\\u{1b}[D` is not a valid catalog name",
        "`12` is not a valid account ID",
        "`eu-west-1a` is not a valid Region",
        "`eu-west-1` is repeated",
        "the answer has no value",
        "`222222222222` is repeated",
        "did you mean `debian-12`?",
        "`perhaps` is not an answer",
    ] {
        assert!(shown.contains(problem), "{problem}: {shown}");
    }
}

#[test]
fn flags_are_not_asked() {
    let flags = Init {
        name: Some("acme".to_owned()),
        account: Some("111111111111".to_owned()),
        prod_accounts: vec!["222222222222".to_owned()],
        systems: vec!["debian-12".to_owned()],
        gitlab: true,
        ..no_flags()
    };
    let mut script = Script::new(&["us-east-1"]);
    let choices = answer(&flags, &surroundings(), &mut script).expect("choices");
    assert_eq!(choices.regions, ["us-east-1"]);
    assert_eq!(script.shown.len(), 1, "{:?}", script.shown);
}

#[test]
fn existing_pipeline_is_not_replaced() {
    let around = Surroundings {
        has_pipeline: true,
        ..surroundings()
    };
    let mut script = Script::new(&["", "", "", "", ""]);
    let choices = answer(&no_flags(), &around, &mut script).expect("choices");
    assert!(!choices.gitlab);
    assert!(script.shown.join("\n").contains(".gitlab-ci.yml exists"));
}

#[test]
fn end_of_input_is_an_error() {
    for count in 0..6 {
        let mut script = Script::new(&["", "", "", "", "", ""][..count]);
        assert!(answer(&no_flags(), &surroundings(), &mut script).is_err());
    }
}
