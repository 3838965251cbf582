//! Splits image files with several architectures into one image per architecture.
//!
//! The children of such an image have its architectures, so this runs when all names and parents
//! are known.

use std::collections::BTreeMap;

use super::naming::NamedImage;
use super::scope::{Definition, Level};
use super::text::ARCH;
use crate::catalog::yaml::node::{ByteRange, Node, Scalar, Value};
use crate::catalog::yaml::source::SourceFile;
use crate::model::{Arch, ImageName};

/// Returns the images by name: one per architecture of each image.
pub(super) fn split_architectures<'f, 'a>(
    named: BTreeMap<String, NamedImage<'f, 'a>>,
) -> BTreeMap<String, NamedImage<'f, 'a>> {
    let mut found: BTreeMap<String, Architectures<'a>> = BTreeMap::new();
    for name in named.keys() {
        let architectures = find_architectures(name, &named);
        found.insert(name.clone(), architectures);
    }
    let mut out = BTreeMap::new();
    for (name, image) in named {
        let architectures = &found[&name];
        for (at, arch) in architectures.values.iter().enumerate() {
            let mut split = image.clone();
            split.name = architectures.name_of(&name, *arch);
            split.parent = image.parent.as_ref().map(|parent| {
                let known = found.get(parent);
                known.map_or_else(|| parent.clone(), |of| of.name_of(parent, *arch))
            });
            split.arch_level = architectures.level(at, image.file.source);
            if let Some((_, span)) = architectures
                .places
                .get(at)
                .filter(|_| architectures.is_own)
            {
                split.evaluated.insert(ARCH, arch_node(*arch, span.clone()));
            }
            out.insert(split.name.clone(), split);
        }
    }
    out
}

/// Architectures of an image.
struct Architectures<'a> {
    /// At least one, without duplicates.
    values: Vec<Arch>,
    /// Positions of `values` in the file that sets them. Empty for the default.
    places: Vec<(SourceFile<'a>, ByteRange)>,
    /// True if the image sets them itself, and all are valid.
    is_own: bool,
}

impl<'a> Architectures<'a> {
    /// Returns the name of the image of one architecture.
    fn name_of(&self, published: &str, arch: Arch) -> String {
        if self.values.len() > 1 {
            ImageName::with_arch(published, arch).0
        } else {
            published.to_owned()
        }
    }

    /// Returns the variable for the architecture at an index.
    fn level(&self, at: usize, file: SourceFile<'a>) -> Level<'a> {
        let (file, span) = self.places.get(at).cloned().unwrap_or((file, 0..0));
        let definition = Definition {
            file,
            span: span.clone(),
            value: arch_node(self.values[at], span),
            is_literal: true,
        };
        Level::from([(ARCH.to_owned(), definition)])
    }
}

/// Returns the architectures of the image or of its nearest ancestor that sets them.
fn find_architectures<'a>(
    name: &str,
    named: &BTreeMap<String, NamedImage<'_, 'a>>,
) -> Architectures<'a> {
    let mut visited: Vec<&str> = Vec::new();
    let mut next = named.get(name);
    while let Some(image) = next.filter(|image| !visited.contains(&image.name.as_str())) {
        if let Some(own) = image.evaluated.get(ARCH).and_then(read_architectures) {
            let (values, spans): (Vec<Arch>, Vec<ByteRange>) = own.into_iter().unzip();
            let file = image.file.source;
            return Architectures {
                values,
                places: spans.into_iter().map(|span| (file, span)).collect(),
                is_own: visited.is_empty(),
            };
        }
        visited.push(&image.name);
        next = image.parent.as_ref().and_then(|parent| named.get(parent));
    }
    Architectures {
        values: vec![Arch::default()],
        places: Vec::new(),
        is_own: false,
    }
}

/// Returns the architectures with their positions. Returns `None` if one is invalid or twice; the
/// validation reports that.
fn read_architectures(node: &Node) -> Option<Vec<(Arch, ByteRange)>> {
    let items = match &node.value {
        Value::List(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    let mut out: Vec<(Arch, ByteRange)> = Vec::new();
    for item in items {
        let Value::Scalar { text, .. } = &item.value else {
            return None;
        };
        let arch: Arch = text
            .parse()
            .ok()
            .filter(|arch: &Arch| arch.as_str() == text)?;
        if out.iter().any(|(known, _)| *known == arch) {
            return None;
        }
        out.push((arch, item.span.clone()));
    }
    (!out.is_empty()).then_some(out)
}

fn arch_node(arch: Arch, span: ByteRange) -> Node {
    let value = Value::Scalar {
        text: arch.to_string(),
        kind: Scalar::Text,
    };
    Node::new(span, value)
}
