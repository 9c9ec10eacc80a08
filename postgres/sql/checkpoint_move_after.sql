-- Units are numbered in the order of their process, as are tries at one position: a late one undoes nothing of those after it.
   AND (c.moved_in < $4 OR c.position < $5 OR c.moved_by IS NULL OR c.moved_by <= $6)
