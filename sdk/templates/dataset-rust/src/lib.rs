// SPDX-License-Identifier: Apache-2.0
//! A row is {"question": "2+2?", "answer": "4"}.
mod attune;

use attune::{create_dataset, Dataset, Result, Sample, Value};

struct @Name@ {
    question: String,
    answer: String,
}

impl Dataset for @Name@ {
    fn new(options: &Value) -> Result<Self> {
        Ok(Self { question: options.text("question")?, answer: options.text("answer")? })
    }

    fn map(&self, row: &Value, emit: &dyn Fn(&Sample) -> Result<()>) -> Result<()> {
        let (question, answer) = (row.text(&self.question)?, row.text(&self.answer)?);
        emit(&Sample { labels: vec![("answer", answer.clone())], turns: vec![("user".into(), question), ("assistant".into(), answer)], n_prompt: 1 })
    }
}

plugin!("dataset/1", "@name@", create_dataset::<@Name@>);
