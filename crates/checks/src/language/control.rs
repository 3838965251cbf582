//! Owns a control: what is expected, of what, when, and what it says about itself. Its JSON goes to other processes and is
//! digested, so it is part of the recorded shape.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::kind::Target;
use crate::language::input::Input;
use crate::language::waiver::Waiver;
use crate::matcher::Matcher;
use crate::matcher::tree::Tree;
use crate::phase::Phase;

/// One control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Unique within an image's controls.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// More lines for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desc: Option<String>,
    /// How bad it is when it fails, 0.0 to 1.0.
    pub impact: f64,
    /// Labels, such as the numbers that standards give it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Tree>,
    /// Where more is written about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// When it is judged; never empty.
    pub phases: BTreeSet<Phase>,
    /// The condition under which it is judged at all, in the grammar of [`crate::language::expression`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Why a person has to judge it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<String>,
    /// The values that it is judged for, one after the other, by the name they have in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_each: Vec<(String, Tree)>,
    /// The inputs that it names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// What is expected.
    pub body: Group,
    /// Why it is not judged, where a profile or image switched it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
    /// Who answers for its failure; not part of its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
    /// Where it is written; not part of its digest.
    #[serde(default)]
    pub origin: Origin,
}

/// Where a control is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The name of the profile that it is reported under; the catalog defines it.
    pub name: String,
    /// The file, relative to the repository's root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The YAML itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
}

/// Expectations that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// How many of them have to hold.
    pub mode: Mode,
    /// The expectations.
    pub items: Vec<Item>,
}

/// How many of a group have to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All.
    All,
    /// At least one; it has one result.
    Any,
    /// None; it has one result.
    None,
}

/// One part of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// What is expected of one resource.
    Expect(Expectation),
    /// A group within.
    Group(Group),
}

/// What is expected of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What is looked at; `${name}` in it stands for a value of `for_each`.
    pub target: Target,
    /// What is expected of its properties; never empty.
    pub expect: BTreeMap<String, Expected>,
    /// What it means that there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_absent: Option<IfAbsent>,
}

/// What is expected of one property.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Known beforehand.
    Fixed(Matcher),
    /// Known when inputs and loop values are: as written.
    Open(Tree),
}

/// What it means that there is nothing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IfAbsent {
    /// It fails, as without this word.
    Fail,
    /// It has nothing to say.
    Skip,
    /// It is as good.
    Pass,
}

impl Control {
    /// Every expectation of it, in order.
    pub(crate) fn expectations(&self) -> Vec<&Expectation> {
        self.body.expectations()
    }
}

impl Group {
    /// Every expectation of it and of the groups within, in order.
    pub(crate) fn expectations(&self) -> Vec<&Expectation> {
        fn each(item: &Item) -> Vec<&Expectation> {
            match item {
                Item::Expect(expectation) => vec![expectation],
                Item::Group(group) => group.expectations(),
            }
        }
        self.items.iter().flat_map(each).collect()
    }
}
