use annals::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened {
    owner: String,
}

struct Owner<T>(T);

#[projection]
impl<T> Owner<T> {
    #[on]
    fn opened(&mut self, _: &Opened) {}
}

fn main() {}
