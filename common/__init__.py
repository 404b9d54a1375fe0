"""What the three sides agree on: words, values, wire, proof, errors. Imports none of the sides."""
