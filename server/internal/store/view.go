package store

// Viewer is a Store that can be read as it was at one moment while it goes on. Queries of what is not committed yet need
// to know exactly what is: with a Store that is no Viewer, queries and Commit wait for each other.
type Viewer interface {
	// View returns the present state. It does no input or output, and waits for none.
	View() View
}

// View is a state of a store. It must be closed.
type View interface {
	Reader
	// Commits is how many calls of Store.Commit have succeeded since the store was opened, as far as the view shows it: a
	// segment is in it completely or not at all, and so are all before it.
	Commits() uint64
	// Close lets the store forget the state.
	Close()
}
