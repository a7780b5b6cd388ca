-- The worker hands in the model.
-- ARGV: id, rules, attempt, model, reproducible
return refuse_stale(ARGV[1], ARGV[3])
    or change('finish', {'model', ARGV[4], 'reproducible', ARGV[5], 'lost', '0'})
