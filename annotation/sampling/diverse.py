"""Query strategies that choose a batch as a whole, so that its sentences differ from each other."""

import warnings

import numpy as np

from annotation.sampling.acquisition import mnlp
from annotation.sampling.pool import FloatArray, Indices, Pool, Values
from maner_core.errors import InvalidInput


def kmeans(pool: Pool, n: int, rng: np.random.Generator) -> Indices:
    """The sentence nearest to each of n k-means centres of the embeddings, the largest cluster first.

    Looks at no doubt at all. As a baseline in Yuan et al., "Cold-start active learning through self-supervised language
    modeling" (2020). Where fewer than n embeddings differ, chance takes the rest.
    """
    if pool.embeddings is None:
        raise InvalidInput("the strategy 'kmeans' needs sentence embeddings; use 'random' without")
    n = min(n, len(pool))
    different = np.unique(pool.embeddings, axis=0)
    k = min(n, len(different))
    chosen = _nearest_to_centres(pool.embeddings, k, rng) if k > 1 else np.zeros(0, np.intp)
    return _filled(chosen, rng.permutation(len(pool)), n)


def badge(pool: Pool, n: int, rng: np.random.Generator) -> Indices:
    """k-means++ over the gradients that the head would get from its own best tags: doubt makes them long, variety apart.

    g(x) = concat_y sum_t (p_t(y) - [y = y^_t]) h_t, for the sentences whose word states h_t are there: those that a
    cheaper score put first. Begins with the longest gradient. Where the gradients run out, `mnlp` takes the rest.
    Ash et al., "Deep batch active learning by diverse, uncertain gradient lower bounds" (2020), sequence form.
    """
    if pool.states is None:
        raise InvalidInput("the strategy 'badge' needs the word states of a tagger; use 'mnlp' without")
    order = rng.permutation(len(pool))
    by_doubt = order[np.argsort(-mnlp(pool)[order], kind="stable")]
    n = min(n, len(pool))
    return _filled(pool.states.sentences[_plus_plus(_gradients(pool), n, rng)], by_doubt, n)


def _nearest_to_centres(embeddings: FloatArray, k: int, rng: np.random.Generator) -> Indices:
    from sklearn.cluster import KMeans  # takes a second to import, and the web process reads this package too

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer clusters than asked for among nearly equal rows: the caller fills up
        model = KMeans(k, n_init=1, random_state=int(rng.integers(2**31))).fit(embeddings.astype(np.float64))
    distances = np.linalg.norm(embeddings - model.cluster_centers_[model.labels_], axis=1)
    by_distance = np.argsort(distances, kind="stable")
    clusters, first = np.unique(model.labels_[by_distance], return_index=True)
    sizes = np.bincount(model.labels_, minlength=k)[clusters]
    nearest: Indices = by_distance[first][np.argsort(-sizes, kind="stable")]
    return nearest


def _gradients(pool: Pool) -> Values:
    """g(x) of the sentences that have states, (n_read, n_tags * hidden)."""
    assert pool.states is not None
    sentences, vectors = pool.states.sentences, pool.states.vectors
    surprise = pool.probs[pool.words_of(sentences)].astype(np.float64)
    surprise[np.arange(len(surprise)), surprise.argmax(axis=1)] -= 1
    gradients = np.zeros((len(sentences), surprise.shape[1], vectors.shape[1]))
    start = 0
    for row, length in enumerate(pool.lengths[sentences]):
        gradients[row] = surprise[start : start + length].T @ vectors[start : start + length]
        start += length
    return gradients.reshape(len(sentences), gradients.shape[1] * gradients.shape[2])


def _plus_plus(points: Values, n: int, rng: np.random.Generator) -> Indices:
    """Rows chosen one after the other, each with a chance proportional to its squared distance from the nearest chosen."""
    if not len(points) or n <= 0:
        return np.zeros(0, np.intp)
    squares = (points**2).sum(axis=1)
    chosen = [int(squares.argmax())]
    nearest = np.full(len(points), np.inf)
    while True:
        last = chosen[-1]
        nearest = np.minimum(nearest, squares + squares[last] - 2 * points @ points[last]).clip(0.0)
        nearest[chosen] = 0.0
        # Rounding leaves equal rows a little apart: what is left of a distance then is no distance.
        nearest[nearest < 1e-12 * squares[last]] = 0.0
        total = nearest.sum()
        if len(chosen) == n or total <= 0:
            return np.array(chosen, np.intp)
        chosen.append(int(rng.choice(len(points), p=nearest / total)))


def _filled(chosen: Indices, rest: Indices, n: int) -> Indices:
    """`chosen`, then what comes first in `rest` and is not among them, n in all."""
    return np.concatenate([chosen, rest[~np.isin(rest, chosen)]])[:n]
