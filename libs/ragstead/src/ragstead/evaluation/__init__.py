"""What answers and rankings are worth: measures, comparisons and the gate, as pure functions over records.

What a measure is stands apart from who computes it and from what is asked; nothing here does I/O but read a suite or
a file of kept results. A question that got no answer scores 0 where an answer was wanted, and no record is changed.
"""
