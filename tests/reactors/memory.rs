//! On memory.

use annals::prelude::*;

use crate::{rules, shards};

macro_rules! rules {
    ($($file:ident { $($rule:ident)+ })+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $file::$rule(MemoryStore::new()).await;
            }
        )+)+
    };
}

include!("list.rs");
