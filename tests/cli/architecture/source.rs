//! Parses a Rust source file: paths outside of tests, and declared modules.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

/// Content of a source file, without code for tests.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Paths from the root of this or another crate: `["crate", "model", "Ami"]`, `["std", "fs"]`.
    pub(super) paths: BTreeSet<Vec<String>>,
    /// Declared modules: name, file in `#[path]`, and whether the module is for tests only.
    pub(super) children: Vec<(String, Option<String>, bool)>,
}

impl Source {
    /// Rewrites the paths of a package as if it were the module `name` of another.
    pub(super) fn nest(&mut self, name: &str) {
        self.replace_paths(|path| match path.split_first() {
            Some((first, rest)) if first == "crate" => {
                let head = [first.clone(), name.to_owned()];
                [&head[..], rest].concat()
            }
            _ => path.to_vec(),
        });
    }

    /// Rewrites paths into other packages, such as `bakeline_checks::Facts`, as paths of modules.
    pub(super) fn resolve_packages(&mut self, names: &[&str]) {
        self.replace_paths(|path| {
            let package = path[0].strip_prefix("bakeline_").unwrap_or_default();
            if !names.contains(&package) {
                return path.to_vec();
            }
            let head = ["crate".to_owned(), package.to_owned()];
            [&head[..], &path[1..]].concat()
        });
    }

    fn replace_paths(&mut self, replace: impl Fn(&[String]) -> Vec<String>) {
        self.paths = self.paths.iter().map(|path| replace(path)).collect();
    }
}

/// Reads a file that is the module `module` (from the crate's root, empty for the root itself).
pub(super) fn read(text: &str, module: &[String]) -> Source {
    let file = syn::parse_file(text).expect("a Rust file");
    let mut reader = Reader {
        module: module.to_vec(),
        source: Source::default(),
    };
    reader.visit_file(&file);
    reader.source
}

struct Reader {
    module: Vec<String>,
    source: Source,
}

/// `#[cfg(test)]`, or `#[cfg(any(test, …))]`.
fn for_tests(attrs: &[syn::Attribute]) -> bool {
    attrs
        .iter()
        .any(|a| a.path().is_ident("cfg") && tokens(&a.meta).iter().any(|t| t == "test"))
}

fn tokens(item: &impl quote_like::Print) -> Vec<String> {
    item.words()
}

/// Words of a token stream without a dependency on `quote`.
mod quote_like {
    /// Something with tokens.
    pub(super) trait Print {
        /// Returns identifiers and punctuation, including those in groups.
        fn words(&self) -> Vec<String>;
    }

    impl Print for syn::Meta {
        fn words(&self) -> Vec<String> {
            match self {
                syn::Meta::List(list) => split(&list.tokens.to_string()),
                _ => Vec::new(),
            }
        }
    }

    impl Print for syn::Macro {
        fn words(&self) -> Vec<String> {
            split(&self.tokens.to_string())
        }
    }

    /// Splits printed tokens; texts in quotes are left out.
    fn split(text: &str) -> Vec<String> {
        let (mut out, mut word, mut quoted, mut escaped) =
            (Vec::new(), String::new(), false, false);
        for c in text.chars() {
            if quoted {
                (quoted, escaped) = (escaped || c != '"', c == '\\' && !escaped);
                continue;
            }
            if c.is_alphanumeric() || c == '_' {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                out.push(std::mem::take(&mut word));
            }
            quoted = c == '"';
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
        }
        if !word.is_empty() {
            out.push(word);
        }
        out
    }
}

impl Reader {
    fn add(&mut self, segments: &[String]) {
        let mut path = segments;
        let mut base = Vec::new();
        match path.first().map(String::as_str) {
            Some("crate") => {}
            Some("self") => base.clone_from(&self.module),
            Some("super") => {
                let supers = path.iter().take_while(|s| *s == "super").count();
                base = self.module[..self.module.len().saturating_sub(supers)].to_vec();
                path = &path[supers - 1..];
            }
            Some(_) => {
                self.source.paths.insert(segments.to_vec());
                return;
            }
            None => return,
        }
        base.insert(0, "crate".to_owned());
        base.extend_from_slice(&path[1..]);
        self.source.paths.insert(base);
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            syn::UseTree::Path(p) => self.tree(&with(p.ident.to_string()), &p.tree),
            syn::UseTree::Name(n) => self.add(&with(n.ident.to_string())),
            syn::UseTree::Rename(r) => self.add(&with(r.ident.to_string())),
            syn::UseTree::Glob(_) => self.add(before),
            syn::UseTree::Group(g) => g.items.iter().for_each(|t| self.tree(before, t)),
        }
    }

    /// Paths within a macro's tokens: words joined by `::`.
    fn loose(&mut self, words: &[String]) {
        let mut at = 0;
        while at < words.len() {
            let mut path = vec![words[at].clone()];
            while let [c1, c2, next, ..] = &words[(at + 1).min(words.len())..] {
                if c1 != ":"
                    || c2 != ":"
                    || !next.starts_with(|c: char| c.is_alphabetic() || c == '_')
                {
                    break;
                }
                path.push(next.clone());
                at += 3;
            }
            if path.len() > 1 {
                self.add(&path);
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs = match item {
            syn::Item::Mod(i) => &i.attrs,
            syn::Item::Fn(i) => &i.attrs,
            syn::Item::Use(i) => &i.attrs,
            syn::Item::Impl(i) => &i.attrs,
            syn::Item::Struct(i) => &i.attrs,
            syn::Item::Static(i) => &i.attrs,
            syn::Item::Const(i) => &i.attrs,
            _ => return visit::visit_item(self, item),
        };
        let tests = for_tests(attrs);
        if let syn::Item::Mod(module) = item
            && module.content.is_none()
        {
            let file = attrs.iter().find_map(|a| match &a.meta {
                syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    syn::Expr::Lit(syn::ExprLit {
                        lit: syn::Lit::Str(s),
                        ..
                    }) => Some(s.value()),
                    _ => None,
                },
                _ => None,
            });
            self.source
                .children
                .push((module.ident.to_string(), file, tests));
        } else if !tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.module.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.add(&segments);
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` and `pub(in crate::x)` name modules without using anything of them.
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.loose(&tokens(mac));
        visit::visit_macro(self, mac);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.loose(&tokens(&syn::Meta::List(list.clone())));
        visit::visit_meta_list(self, list);
    }
}
