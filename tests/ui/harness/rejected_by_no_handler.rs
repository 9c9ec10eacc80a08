use annals::prelude::*;
use annals_testing::given_history;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
struct Opened {
    shop: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct Close(#[command(id)] String);

#[derive(Debug, thiserror::Error)]
#[error("open until five")]
struct TooEarly;

#[derive(Debug, Clone, Serialize, Deserialize, ProcessManager)]
#[process_manager(name = "opening", id = String, sends(Close))]
struct Opening;

#[process]
impl Opening {
    #[on(key = shop)]
    fn opened(_: &Opened, cx: &EventContext<Self>) -> (Self, Close) {
        (Self, Close(cx.id().clone()))
    }
}

fn main() {
    let _ = given_history([]).process::<Opening>().when_rejected(Close("a".into()), TooEarly);
}
