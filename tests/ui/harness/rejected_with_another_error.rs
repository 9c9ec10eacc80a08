use annals::prelude::*;
use annals_testing::given_history;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Close(#[command(id)] String);

#[derive(Debug, thiserror::Error)]
#[error("open until five")]
struct TooEarly;

#[derive(Debug, thiserror::Error)]
#[error("no such key")]
struct NoKey;

#[derive(Aggregate)]
#[aggregate(id = String, events(Opened))]
struct Shop;

#[handlers]
impl Shop {
    #[apply]
    fn opened(_: &Opened) -> Self {
        Self
    }

    #[handle]
    fn close(&self, _: Close) -> Result<(), TooEarly> {
        Err(TooEarly)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "opening", id = String, sends(Close))]
struct Opening;

#[process]
impl Opening {
    #[on]
    fn opened(_: &Opened, cx: &EventContext<Self>) -> (Self, Close) {
        (Self, Close(cx.id().clone()))
    }
}

fn main() {
    let _ = given_history([]).process::<Opening>().when_rejected(Close("a".into()), NoKey);
}
