//! On memory.

use annals::prelude::*;

use crate::rules;

macro_rules! rules {
    ($($rule:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                rules::$rule(MemoryStore::new()).await;
            }
        )+
    };
}

include!("list.rs");
