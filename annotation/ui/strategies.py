"""The query strategies in the words of the pages."""

STRATEGIES = {
    "random": "random: by chance",
    "mnlp": "mnlp: where the model is least sure of its best reading",
    "ent_mnlp": "ent_mnlp: the same, but names and rare labels count more, and people's time counts",
    "entropy_mean": "entropy_mean: where words are most open, on average",
    "entropy_max": "entropy_max: where one word is most open",
    "entropy_sum": "entropy_sum: where all words together are most open (prefers long sentences)",
    "margin": "margin: where the second best label comes close, on average",
    "margin_min": "margin_min: where the second best label of one word comes close",
    "tag_count": "tag_count: where the model expects most names (prefers long sentences)",
    "bald": "bald: where the model, asked ten times, contradicts itself",
    "fluctuation": "fluctuation: where the last three models disagreed and this one is unsure",
    "density": "density: where the model is unsure and the sentence is typical",
    "least_confidence": "least_confidence: where the whole reading is least likely (prefers long sentences)",
    "kmeans": "kmeans: one of each kind of sentence, whatever the model thinks",
    "badge": "badge: unsure and different from each other",
}
