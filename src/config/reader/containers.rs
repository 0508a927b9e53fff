//! Maps and lists.

use super::Reader;
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::scalar::{Scalar, resolve};
use crate::config::yaml::{Entry, Node, Value};

impl Reader<'_> {
    /// A map; an empty value is an empty map, so that a block may have all its lines commented out.
    pub(in crate::config) fn map(&mut self, entry: Entry) -> Option<Vec<Entry>> {
        self.map_or_help(entry, |_| None)
    }

    /// The same; `help` says what to write, where its key alone does not tell.
    pub(in crate::config) fn map_or_help(
        &mut self,
        entry: Entry,
        help: impl FnOnce(&Entry) -> Option<String>,
    ) -> Option<Vec<Entry>> {
        match entry.node.value {
            Value::Map(entries) => return Some(entries),
            Value::Plain(ref text) if resolve(text) == Scalar::Nothing => return Some(Vec::new()),
            Value::Plain(_) | Value::Quoted(_) | Value::List(_) => {
                self.wrong_type_or(&entry, "a map", || help(&entry));
            }
            Value::Broken => {}
        }
        None
    }

    /// The elements of a list, each under the list's own key.
    pub(in crate::config) fn list(&mut self, entry: Entry) -> Option<Vec<Entry>> {
        match entry.node.value {
            Value::List(items) => {
                let element = |node: Node| Entry {
                    key: entry.key.clone(),
                    key_span: node.span,
                    node,
                };
                return Some(items.into_iter().map(element).collect());
            }
            Value::Plain(_) | Value::Quoted(_) | Value::Map(_) => {
                self.wrong_type(&entry, "a list");
            }
            Value::Broken => {}
        }
        None
    }

    /// The elements of a list that must hold something.
    pub(in crate::config) fn filled_list(&mut self, entry: Entry, why: &str) -> Option<Vec<Entry>> {
        let (key, span) = (entry.key.clone(), entry.node.span);
        let items = self.list(entry)?;
        if items.is_empty() {
            let finding = Finding::error(Code::EmptyValue, span, format!("`{key}` is empty"));
            self.report(finding.help(why));
            return None;
        }
        Some(items)
    }
}
