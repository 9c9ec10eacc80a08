use annals::AggregateId;

#[derive(Debug, Clone, PartialEq, AggregateId)]
struct AccountId(Vec<u8>);

fn main() {}
